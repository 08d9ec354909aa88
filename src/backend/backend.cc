#include "backend/backend.h"

#include "balance/pickers.h"

namespace weir::backend {
namespace {

std::string_view name_of(Balance balance) {
  for (const auto& [name, value] : names_of(Balance{})) {
    if (value == balance) return name;
  }
  return {};
}

}  // namespace

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
  const balance::PickerEntry* entry = balance::find_picker(name_of(settings.balance));
  WEIR_ASSERT(entry != nullptr);
  picker_ = entry->make();
  table_ = picker_->build(specs, balance::ServerSet::all(specs.size()));
}

}  // namespace weir::backend
