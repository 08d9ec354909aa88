#include "backend/backend.h"

#include <utility>

namespace weir::backend {

Server::Server(const ServerSettings& settings, std::string_view backend, stats::Registry& registry)
    : name_(settings.name.value),
      full_name_(std::string(backend) + "/" + settings.name.value),
      address_(settings.address.address),
      authority_(address_.is_unix() ? "localhost" : address_.to_string()),
      stats_(registry.server(backend, settings.name.value)) {}

Backend::Backend(const BackendSettings& settings, stats::Registry& registry)
    : settings_(settings), stats_(registry.backend(settings.name.value)) {
  std::vector<balance::ServerSpec> specs;
  for (const ServerSettings& server : settings.servers) {
    servers_.push_back(std::make_unique<Server>(server, name(), registry));
    specs.push_back({.weight = server.weight});
  }
  for (const auto& server : servers_) lease_counters_.push_back(&server->leases_);
  picker_ = balance::kPickers[std::to_underlying(settings.balance)].make();
  table_ = picker_->build(specs, balance::ServerSet::all(specs.size()));
}

}  // namespace weir::backend
