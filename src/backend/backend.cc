#include "backend/backend.h"

#include <algorithm>
#include <map>

namespace weir::backend {

Backend::Backend(const BackendSettings& settings, stats::Registry& registry,
                 const Backend* predecessor)
    : settings_(settings),
      picker_(balance::make_picker(settings.balance)),
      stats_(registry.backend(settings.name.value)),
      wait_queue_(predecessor != nullptr ? predecessor->wait_queue_
                                         : std::make_shared<WaitQueue>(registry.workers())),
      has_backups_(std::ranges::any_of(settings.servers,
                                       [](const ServerSettings& server) { return server.backup; })),
      may_be_full_(std::ranges::any_of(settings.servers, [](const ServerSettings& server) {
        return server.maxconn.has_value();
      })) {
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
  }
  candidates_ = make_candidates();
}

std::shared_ptr<const Candidates> Backend::make_candidates() const {
  auto made = std::make_shared<Candidates>();
  balance::ServerSet usable(size());
  for (std::size_t i = 0; i < size(); ++i) {
    const ServerSettings& settings = settings_.servers[i];
    const Server& server = *servers_[i];
    made->specs.push_back({.weight = server.weight_after(settings.weight),
                           .role = role_of(balance::to_server(i)),
                           .name = server.name(),
                           .address = server.address_text()});
    made->states.push_back(server.admin_state());
    made->addresses.push_back(server.addresses());
    const bool is_resolved = made->addresses.back()->problem.empty();
    if (made->states.back() != AdminState::ready || !is_resolved) continue;
    usable.insert(balance::to_server(i));
    made->has_some = made->has_some || made->specs.back().weight != 0;
  }
  for (const auto role : {balance::ServerRole::primary, balance::ServerRole::backup}) {
    if (role == balance::ServerRole::backup && !has_backups_) continue;
    made->tables[std::to_underlying(role)] =
        picker_->build(made->specs, balance::candidates_of(made->specs, usable, role));
  }
  return made;
}

std::shared_ptr<const Candidates> Backend::candidates() const {
  const std::lock_guard lock(mutex_);
  return candidates_;
}

void Backend::adopt_servers() noexcept {
  for (std::size_t i = 0; i < size(); ++i) servers_[i]->configure(settings_.servers[i]);
}

std::shared_ptr<const Candidates> Backend::renew_candidates() {
  auto made = make_candidates();
  const std::lock_guard lock(mutex_);
  candidates_ = made;
  return made;
}

}  // namespace weir::backend
