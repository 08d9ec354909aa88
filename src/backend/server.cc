#include "backend/server.h"

namespace weir::backend {

ServerAddresses initial_addresses(const net::ServerAddress& address) {
  if (!address.is_name()) return {.list = {address.address}, .problem = {}};
  return {.list = {}, .problem = address.host + " has not been resolved yet"};
}

Server::Server(const ServerSettings& settings, std::string_view backend, stats::Registry& registry)
    : name_(settings.name.value),
      full_name_(std::string(backend) + "/" + settings.name.value),
      address_(settings.address),
      address_text_(net::print_scalar(address_)),
      authority_(address_.address.is_unix() ? "localhost" : address_.to_string()),
      stats_(registry.server(backend, settings.name.value)),
      backend_stats_(registry.backend(backend)),
      addresses_(std::make_shared<const ServerAddresses>(initial_addresses(address_))),
      weight_configured_(settings.weight),
      weight_(settings.weight),
      maxconn_(settings.maxconn.value_or(0)) {}

void Server::configure(const ServerSettings& settings) noexcept {
  weight_.store(weight_after(settings.weight));
  weight_configured_ = settings.weight;
  maxconn_.store(settings.maxconn.value_or(0));
}

}  // namespace weir::backend
