#include "backend/backend.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "balance/readings.h"

namespace weir::backend {
namespace {

// Sorted; servers in no subset do not count.
std::vector<std::string> names_of_subsets(const BackendSettings& settings) {
  std::set<std::string> names;
  for (const ServerSettings& server : settings.servers) {
    if (!server.subset->empty()) names.insert(*server.subset);
  }
  return {names.begin(), names.end()};
}

balance::SubsetIndex find_name(std::span<const std::string> sorted,
                               std::string_view name) noexcept {
  const auto found = std::ranges::lower_bound(sorted, name);
  if (found == sorted.end() || *found != name) return balance::SubsetIndex::none;
  return static_cast<balance::SubsetIndex>(found - sorted.begin() + 1);
}

balance::SubsetFallback fallback_of(const BackendSettings& settings) {
  return settings.subsets ? settings.subsets->fallback : balance::SubsetFallback::any;
}

}  // namespace

std::vector<balance::ServerPlace> places_of(const BackendSettings& settings,
                                            std::string_view zone) {
  const std::vector<std::string> subsets = names_of_subsets(settings);
  std::vector<balance::ServerPlace> places;
  for (const ServerSettings& server : settings.servers) {
    balance::ServerPlace& place = places.emplace_back();
    if (server.backup) place.role = balance::ServerRole::backup;
    place.priority = server.priority;
    place.is_local = *server.zone == zone;
    place.subset = find_name(subsets, *server.subset);
    if (!server.location) continue;
    place.location = balance::GeoPoint::at(server.location->latitude, server.location->longitude);
  }
  return places;
}

Backend::Backend(const BackendSettings& settings, stats::Registry& registry,
                 const Backend* predecessor, const BackendContext& context)
    : settings_(settings),
      scores_(balance::make_scorer(settings.balance) == nullptr ? 0 : settings.servers.size()),
      picker_(balance::make_picker(settings.balance)),
      placement_(places_of(settings, context.zone), *settings.cross_zone, settings.overflow,
                 fallback_of(settings)),
      subsets_(names_of_subsets(settings)),
      key_(context.key),
      subset_key_(context.subset_key),
      geo_(context.geo),
      stats_(registry.backend(settings.name.value)),
      wait_queue_(predecessor != nullptr ? predecessor->wait_queue_
                                         : std::make_shared<WaitQueue>(registry.workers())),
      may_be_full_(std::ranges::any_of(
          settings.servers,
          [](const ServerSettings& server) { return server.maxconn.has_value(); })),
      has_predecessor_(predecessor != nullptr) {
  std::map<std::string_view, std::shared_ptr<Server>> known;
  if (predecessor != nullptr) {
    for (const auto& server : predecessor->servers_) known.emplace(server->name(), server);
  }
  for (const ServerSettings& server : settings_.servers) {
    const auto found = known.find(*server.name);
    const bool is_same = found != known.end() && found->second->address() == server.address;
    servers_.push_back(is_same ? found->second
                               : std::make_shared<Server>(server, name(), registry));
    lease_counters_.push_back(&servers_.back()->lease_counter());
    is_new_.push_back(!is_same);
  }
  for (auto& score : scores_) score.store(std::numeric_limits<float>::quiet_NaN());
  if (predecessor != nullptr) take_scores_of(*predecessor);
  candidates_ = make_candidates(TimePoint::max());
}

// They hold until new ones are made: a server that was to get nothing does not get its share
// meanwhile.
void Backend::take_scores_of(const Backend& predecessor) {
  if (scores_.empty() || predecessor.scores_.empty()) return;
  std::map<const Server*, const std::atomic<float>*> known;
  for (std::size_t i = 0; i < predecessor.size(); ++i) {
    known.emplace(predecessor.servers_[i].get(), &predecessor.scores_[i]);
  }
  for (std::size_t i = 0; i < size(); ++i) {
    const auto found = known.find(servers_[i].get());
    if (found != known.end()) scores_[i].store(found->second->load());
  }
}

std::shared_ptr<const Candidates> Backend::make_candidates(TimePoint now) const {
  auto made = std::make_shared<Candidates>();
  balance::ServerSet usable(size());
  for (std::size_t i = 0; i < size(); ++i) {
    const ServerSettings& settings = settings_.servers[i];
    const Server& server = *servers_[i];
    const balance::LevelIndex level = placement_.level_of(balance::to_server(i));
    made->specs.push_back({.weight = server.weight_after(settings.weight),
                           .level = static_cast<std::uint8_t>(level),
                           .name = server.name(),
                           .address = server.address_text()});
    made->states.push_back(server.admin_state());
    made->addresses.push_back(server.addresses());
    const bool is_resolved = made->addresses.back()->problem.empty();
    if (made->states.back() != AdminState::ready || !is_resolved) continue;
    usable.insert(balance::to_server(i));
    const bool is_placed = level != balance::LevelIndex::none;
    made->has_some = made->has_some || (is_placed && made->specs.back().weight != 0);
  }
  made->shares = placement_.share(made->specs, usable);
  if (settings_.slow_start) ramp(*made, now);
  for (std::size_t level = 0; level < placement_.levels(); ++level) {
    made->tables.push_back(picker_->build(
        made->specs, placement_.candidates_of(static_cast<balance::LevelIndex>(level), usable)));
  }
  return made;
}

balance::SubsetIndex Backend::find_subset(std::string_view name) const noexcept {
  return find_name(subsets_, name);
}

std::optional<float> Backend::find_score(balance::ServerIndex server) const noexcept {
  if (scores_.empty()) return std::nullopt;
  const float score = scores_[balance::to_number(server)].load(std::memory_order_relaxed);
  return std::isfinite(score) ? std::optional(score) : std::nullopt;
}

void Backend::set_scores(std::span<const float> scores) noexcept {
  WEIR_ASSERT(scores.size() == scores_.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores_[i].store(scores[i], std::memory_order_relaxed);
  }
}

std::shared_ptr<const Candidates> Backend::candidates() const {
  const std::lock_guard lock(mutex_);
  return candidates_;
}

// Weights become finer, so that a part of a small one is not lost.
void Backend::ramp(Candidates& candidates, TimePoint now) const {
  constexpr std::uint32_t kFiner = 100;
  std::vector<double> parts;
  std::uint32_t heaviest = 1;
  for (std::size_t i = 0; i < size(); ++i) {
    const TimePoint since = servers_[i]->usable_since();
    parts.push_back(since == TimePoint::min() || now == TimePoint::max()
                        ? 1
                        : health::share_after(*settings_.slow_start, now - since));
    candidates.is_ramping = candidates.is_ramping || parts.back() < 1;
    heaviest = std::max(heaviest, candidates.specs[i].weight);
  }
  if (!candidates.is_ramping) return;
  const std::uint32_t finer = std::max(1U, std::min(kFiner, balance::kWeightMax / heaviest));
  for (std::size_t i = 0; i < size(); ++i) {
    std::uint32_t& weight = candidates.specs[i].weight;
    if (weight == 0) continue;
    weight = std::max(1U, static_cast<std::uint32_t>(std::lround(weight * finer * parts[i])));
  }
}

bool Backend::has_ramped(TimePoint now) const {
  const auto known = candidates();
  Candidates fresh;
  for (std::size_t i = 0; i < size(); ++i) {
    fresh.specs.push_back({.weight = servers_[i]->weight_after(settings_.servers[i].weight)});
  }
  ramp(fresh, now);
  using balance::ServerSpec;
  return fresh.is_ramping != known->is_ramping ||
         !std::ranges::equal(fresh.specs, known->specs, {}, &ServerSpec::weight,
                             &ServerSpec::weight);
}

bool Backend::adopt_servers(TimePoint now) noexcept {
  for (std::size_t i = 0; i < size(); ++i) {
    servers_[i]->configure(settings_.servers[i]);
    if (is_new_[i] && has_predecessor_) servers_[i]->note_new(now);
  }
  return has_predecessor_ && settings_.slow_start.has_value();
}

std::shared_ptr<const Candidates> Backend::renew_candidates(TimePoint now) {
  for (const auto& server : servers_) {
    const bool is_usable = server->admin_state() == AdminState::ready &&
                           server->addresses()->problem.empty() && server->weight() != 0;
    if (is_usable) {
      server->note_usable(now);
    } else {
      server->note_unusable();
    }
  }
  auto made = make_candidates(now);
  const std::lock_guard lock(mutex_);
  candidates_ = made;
  return made;
}

}  // namespace weir::backend
