#include "proxy/http/route_request.h"

#include "protocol/http/path.h"

namespace weir::proxy {
namespace {

ErrorKind find_refusal(const http::RequestHead& request, const ListenerLimits& limits) noexcept {
  if (request.method == http::Method::connect || request.method == http::Method::trace) {
    return ErrorKind::method_refused;
  }
  // RFC 9110 7.4: it was meant to be protected on its way.
  constexpr std::string_view kHttps = "https:";
  if (http::equals_ignoring_case(request.target.substr(0, kHttps.size()), kHttps)) {
    return ErrorKind::misdirected_request;
  }
  const auto& bytes_max = limits.body_bytes;
  const bool too_large = bytes_max && request.body.framing == http::Framing::length &&
                         request.body.bytes > bytes_max->value;
  return too_large ? ErrorKind::body_too_large : ErrorKind::none;
}

}  // namespace

Routing route_request(const http::RequestHead& request, const ListenerLimits& limits,
                      const Router& router, RoutingSpace& space) noexcept {
  Routing routing;
  const ErrorKind refusal = find_refusal(request, limits);
  if (refusal != ErrorKind::none) {
    routing.error = make_error(refusal, Side::client);
    return routing;
  }
  routing.host = normalize_host(request.authority, space.host);
  if (routing.host) routing.path = http::normalize_path(request.path, space.path);
  if (!routing.path) {
    routing.error = make_error(ErrorKind::bad_request, Side::client);
    return routing;
  }
  routing.route = router.match({.host = *routing.host, .path = *routing.path});
  if (routing.route == RouteIndex::none) {
    routing.error = make_error(ErrorKind::no_route, Side::client);
  }
  return routing;
}

}  // namespace weir::proxy
