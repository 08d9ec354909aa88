#include "proxy/snapshot.h"

namespace weir::proxy {

Listener::Listener(const ListenerSettings& settings, stats::Registry& registry)
    : name(settings.name.value),
      protocol(settings.protocol),
      head_limits{.head_bytes = static_cast<std::uint32_t>(settings.limits.head_bytes.value),
                  .fields = settings.limits.head_fields},
      timeouts(settings.timeouts),
      limits(settings.limits),
      tcp(settings.tcp),
      maxconn(settings.maxconn.value_or(0)),
      trusted_proxies(settings.trusted_proxies),
      proxy_protocol(*settings.proxy_protocol),
      forwarded(settings.forwarded),
      via(settings.via.value),
      request_id(settings.request_id.value),
      stats(registry.listener(settings.name.value)) {
  const LogFormat& format = settings.access_log.format;
  if (format.kind == LogFormat::Kind::text) log_line = format.text;
}

std::shared_ptr<const Router> make_router(const ListenerSettings& settings) {
  std::vector<RouteSpec> specs;
  for (const RouteSettings& route : settings.routes) {
    specs.push_back({route.match.host, route.match.path, route.match.path_prefix});
  }
  if (specs.empty()) specs.emplace_back();
  return std::make_shared<const Router>(specs);
}

}  // namespace weir::proxy
