#include "backend/server.h"

namespace weir::backend {

Server::Server(const ServerSettings& settings, std::string_view backend, stats::Registry& registry)
    : name_(settings.name.value),
      full_name_(std::string(backend) + "/" + settings.name.value),
      address_(settings.address.address),
      authority_(address_.is_unix() ? "localhost" : address_.to_string()),
      stats_(registry.server(backend, settings.name.value)),
      backend_stats_(registry.backend(backend)),
      weight_configured_(settings.weight),
      weight_(settings.weight),
      maxconn_(settings.maxconn.value_or(0)) {}

void Server::configure(const ServerSettings& settings) noexcept {
  weight_.store(weight_after(settings.weight));
  weight_configured_ = settings.weight;
  maxconn_.store(settings.maxconn.value_or(0));
}

}  // namespace weir::backend
