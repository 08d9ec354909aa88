#include "backend/backend.h"

namespace weir::backend {

Server::Server(const ServerSettings& settings, std::string_view backend, stats::Registry& registry)
    : name_(settings.name.value),
      full_name_(std::string(backend) + "/" + settings.name.value),
      address_(settings.address.address),
      role_(settings.backup ? balance::ServerRole::backup : balance::ServerRole::primary),
      authority_(address_.is_unix() ? "localhost" : address_.to_string()),
      stats_(registry.server(backend, settings.name.value)) {}

Backend::Backend(const BackendSettings& settings, stats::Registry& registry)
    : settings_(settings), stats_(registry.backend(settings.name.value)) {
  std::vector<balance::ServerSpec> specs;
  for (const ServerSettings& server : settings.servers) {
    servers_.push_back(std::make_unique<Server>(server, name(), registry));
    specs.push_back({.weight = server.weight, .role = servers_.back()->role()});
  }
  for (const auto& server : servers_) lease_counters_.push_back(&server->leases_);
  picker_ = balance::kPickers[std::to_underlying(settings.balance)].make();
  const balance::ServerSet all = balance::ServerSet::all(specs.size());
  for (const auto role : {balance::ServerRole::primary, balance::ServerRole::backup}) {
    const balance::ServerSet candidates = balance::candidates_of(specs, all, role);
    if (role == balance::ServerRole::backup && candidates.is_empty()) continue;
    tables_[std::to_underlying(role)] = picker_->build(specs, candidates);
  }
}

}  // namespace weir::backend
