#include "app/compile_filters.h"

#include <algorithm>

namespace weir::app {

const filter::FilterSettings& settings_of(const proxy::FilterEntry& entry) {
  return *static_cast<const filter::FilterSettings*>(entry.settings());
}

bool may_always_reply(const std::vector<proxy::FilterEntry>& entries,
                      const config::Problems& problems) {
  if (problems.has_errors()) return !entries.empty();
  return std::ranges::any_of(entries, [](const proxy::FilterEntry& entry) {
    const auto made = filter::make_filter(settings_of(entry));
    return made != nullptr && made->always_replies();
  });
}

void check_filters(const std::vector<proxy::FilterEntry>& entries, config::Problems& problems) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const filter::FilterSettings& settings = settings_of(entries[i]);
    filter::check_filter(settings, problems);
    if (problems.has_errors()) continue;
    const auto made = filter::make_filter(settings);
    if (made == nullptr || !made->always_replies() || i + 1 == entries.size()) continue;
    problems.error(settings_of(entries[i + 1]).position,
                   "unreachable filter: " + std::string(made->name()) + " in line " +
                       std::to_string(settings.position.line) + " replies to every request");
    return;
  }
}

FilterCompiler::FilterCompiler(const Settings& settings) {
  for (const BackendEntry& backend : settings.backends) backends_.emplace(*backend.name, &backend);
}

const proxy::Filters& FilterCompiler::filters_of(const std::vector<proxy::FilterEntry>& entries) {
  const auto [found, is_new] = made_.try_emplace(&entries);
  if (is_new) {
    for (const proxy::FilterEntry& entry : entries) {
      found->second.push_back(filter::make_filter(settings_of(entry)));
    }
  }
  return found->second;
}

std::shared_ptr<const proxy::FilterChain> FilterCompiler::chain_of_listener(
    const proxy::ListenerSettings& listener) {
  if (listener.filters.empty()) return nullptr;
  auto& chain = of_listeners_[&listener];
  if (chain == nullptr) {
    chain = std::make_shared<const proxy::FilterChain>(filters_of(listener.filters));
  }
  return chain;
}

std::shared_ptr<const proxy::FilterChain> FilterCompiler::chain_of_route(
    const proxy::ListenerSettings& listener, const proxy::RouteSettings* route,
    const std::string& backend) {
  const auto found = backends_.find(backend);
  const bool has_own = route != nullptr && !route->filters.empty();
  const bool has_backends = found != backends_.end() && !found->second->filters.empty();
  if (!has_own && !has_backends) return chain_of_listener(listener);
  proxy::Filters filters = filters_of(listener.filters);
  if (has_own) std::ranges::copy(filters_of(route->filters), std::back_inserter(filters));
  if (has_backends) {
    std::ranges::copy(filters_of(found->second->filters), std::back_inserter(filters));
  }
  return std::make_shared<const proxy::FilterChain>(std::move(filters));
}

}  // namespace weir::app
