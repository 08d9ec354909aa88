#pragma once
// Where a request goes: a pure function of its head and the listener's configuration, for
// serve_exchange and for explain alike.

#include <optional>
#include <span>

#include "protocol/http/message.h"
#include "proxy/listener_settings.h"

namespace weir::proxy {

// Room for what is compared with routes.
struct RoutingSpace {
  HostBuffer host;
  std::span<char> path;  // at least as long as the request's path
};

struct Routing {
  Error error;  // kind none: the request is for `route`
  RouteIndex route = RouteIndex::none;
  std::optional<std::string_view> host;  // normalised; none if it was not come to, or cannot be
  std::optional<std::string_view> path;  // likewise
};

// The views of the result point into the space or the head.
Routing route_request(const http::RequestHead& request, const ListenerLimits& limits,
                      const Router& router, RoutingSpace& space) noexcept;

}  // namespace weir::proxy
