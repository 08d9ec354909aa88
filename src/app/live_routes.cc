#include "app/live_routes.h"

#include <algorithm>
#include <fmt/format.h>

#include "app/route_text.h"
#include "config/difference.h"
#include "config/text.h"

namespace weir::app {
namespace {

using admin::Answered;
using admin::Refusal;
using config::quote;
using Groups = std::vector<proxy::SplitGroupSettings>;

std::unexpected<Refusal> refuse(std::uint16_t status, std::string reason, std::string message) {
  return std::unexpected(Refusal{status, std::move(reason), std::move(message)});
}

Answered<void> change_weights(Groups& groups, const admin::SplitChange& change) {
  for (const admin::GroupWeight& wanted : change.split) {
    config::Nearest nearest(wanted.group);
    for (const auto& group : groups) nearest.consider(*name_of(group));
    const auto found = std::ranges::find_if(
        groups, [&](const auto& group) { return *name_of(group) == wanted.group; });
    if (found == groups.end()) {
      return refuse(404, "unknown_group",
                    fmt::format("no group {} in the split{}", quote(wanted.group), nearest.hint()));
    }
    found->weight = wanted.weight;
  }
  if (std::ranges::all_of(groups, [](const auto& group) { return group.weight == 0; })) {
    return refuse(422, "no_weight", "no group of the split would have a weight above 0");
  }
  return {};
}

// A listener without routes has one, for all that comes.
std::size_t count_routes(const proxy::ListenerSettings& listener) {
  return std::max<std::size_t>(listener.routes.size(), 1);
}

const proxy::MatchSettings& match_of(const proxy::ListenerSettings& listener, std::size_t route) {
  static const proxy::MatchSettings kAnything;
  return listener.routes.empty() ? kAnything : listener.routes[route].match;
}

Groups& groups_of(proxy::ListenerSettings& listener, std::size_t route) {
  return listener.routes.empty() ? listener.split : listener.routes[route].split;
}

std::string print_condition(const proxy::ListenerSettings& listener, std::size_t route) {
  if (listener.protocol == proxy::Protocol::tcp) return "any connection";
  return print_match(match_of(listener, route));
}

const proxy::Split* find_split(const proxy::ServedListener& listener, std::size_t route) {
  const auto found = std::ranges::find_if(listener.splits, [route](const auto& split) {
    return split->route == proxy::RouteIndex(route);
  });
  return found == listener.splits.end() ? nullptr : found->get();
}

}  // namespace

auto LiveRoutes::find(const proxy::ListenerSettings& listener, std::size_t route) const
    -> std::vector<SetSplit>::const_iterator {
  return std::ranges::find_if(set_, [&](const SetSplit& set) {
    return set.listener == *listener.name && config::is_equal(set.match, match_of(listener, route));
  });
}

std::vector<admin::GroupState> LiveRoutes::states_of_groups(const proxy::ListenerSettings& listener,
                                                            std::size_t route,
                                                            const proxy::Split& split) const {
  const Groups& groups = listener.routes.empty() ? listener.split : listener.routes[route].split;
  const auto set = find(listener, route);
  std::vector<admin::GroupState> states;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto& stats = *split.groups[i].stats;
    states.push_back(
        {.name = *name_of(groups[i]),
         .backend = *groups[i].backend,
         .weight = groups[i].weight,
         .weight_configured = set == set_.end() ? groups[i].weight : set->by_file[i].weight,
         .requests = stats.sum(&stats::GroupCells::requests)});
  }
  return states;
}

std::vector<admin::RouteState> LiveRoutes::states(const Settings& settings,
                                                  const proxy::Snapshot& snapshot) const {
  std::vector<admin::RouteState> states;
  for (std::size_t place = 0; place < settings.listeners.size(); ++place) {
    const proxy::ListenerSettings& listener = settings.listeners[place];
    for (std::size_t i = 0; i < count_routes(listener); ++i) {
      const bool is_alone = listener.routes.empty();
      const proxy::Split* split = find_split(snapshot.listeners[place], i);
      states.push_back(
          {.listener = *listener.name,
           .number = i + 1,
           .match = print_condition(listener, i),
           .backend = is_alone ? *listener.backend : *listener.routes[i].backend,
           .line = is_alone ? listener.position.line : listener.routes[i].position.line,
           .split = split == nullptr ? std::vector<admin::GroupState>()
                                     : states_of_groups(listener, i, *split)});
    }
  }
  return states;
}

Answered<void> LiveRoutes::change_split(Settings& next, const std::string& listener,
                                        std::size_t number, const admin::SplitChange& change) {
  const auto found =
      std::ranges::find_if(next.listeners, [&](const auto& one) { return *one.name == listener; });
  if (found == next.listeners.end() || number == 0 || number > count_routes(*found)) {
    return refuse(404, "unknown_route",
                  fmt::format("no route {} of a listener {}", number, quote(listener)));
  }
  Groups& groups = groups_of(*found, number - 1);
  if (groups.empty()) {
    return refuse(409, "no_split",
                  fmt::format("route {} of listener {} has no split", number, quote(listener)));
  }
  const auto known = find(*found, number - 1);
  SetSplit set{.listener = listener,
               .match = match_of(*found, number - 1),
               .by_file = known == set_.end() ? groups : known->by_file,
               .in_force = {}};
  if (auto changed = change_weights(groups, change); !changed) return changed;
  set.in_force = groups;
  if (known != set_.end()) set_.erase(known);
  if (!config::is_equal(set.by_file, set.in_force)) set_.push_back(std::move(set));
  return {};
}

std::vector<std::string> LiveRoutes::keep_weights(Settings& next) {
  std::vector<std::string> kept;
  std::vector<SetSplit> still_set;
  for (proxy::ListenerSettings& listener : next.listeners) {
    for (std::size_t i = 0; i < count_routes(listener); ++i) {
      Groups& groups = groups_of(listener, i);
      const auto set = find(listener, i);
      if (set == set_.end() || !config::is_equal(set->by_file, groups)) continue;
      for (std::size_t group = 0; group < groups.size(); ++group) {
        groups[group].weight = set->in_force[group].weight;
      }
      still_set.push_back(*set);
      kept.push_back(fmt::format(
          "route {} of listener {} keeps the weights of its split that were set at run time", i + 1,
          quote(*listener.name)));
    }
  }
  set_ = std::move(still_set);
  return kept;
}

}  // namespace weir::app
