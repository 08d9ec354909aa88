#include "proxy/snapshot.h"

namespace weir::proxy {
namespace {

// A listener with a backend of its own is one with a single route for everything.
std::vector<RouteSpec> specs_of(const ListenerSettings& settings) {
  if (settings.routes.empty()) return {RouteSpec{}};
  std::vector<RouteSpec> specs;
  for (const RouteSettings& route : settings.routes) {
    specs.push_back({route.match.host, route.match.path, route.match.path_prefix});
  }
  return specs;
}

}  // namespace

Listener::Listener(const ListenerSettings& settings, std::vector<BackendIndex> backends,
                   stats::Registry& registry)
    : name(settings.name.value),
      address(settings.address.value),
      protocol(settings.protocol),
      router(specs_of(settings)),
      route_backends(std::move(backends)),
      timeouts(settings.timeouts),
      limits(settings.limits),
      access_log(settings.access_log),
      stats(registry.listener(settings.name.value)) {
  head_limits.head_bytes = static_cast<std::uint32_t>(settings.limits.head_bytes.value);
  head_limits.fields = settings.limits.head_fields;
}

}  // namespace weir::proxy
