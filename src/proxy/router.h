#pragma once
// Which route serves a request: the first in the file whose host and path match. Order in the file
// is the only order; a longer host or path is not preferred.

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "config/scalars.h"
#include "proxy/host_pattern.h"
#include "proxy/route_table.h"

namespace weir::proxy {

// A path or a path prefix as a route names it, without query. It is normalised as the paths of
// requests are (protocol/http/path.h) before they are compared: "/a%20b" and "/a b" are the same.
struct RoutePath {
  std::string text = {};  // as written

  friend bool operator==(const RoutePath&, const RoutePath&) = default;
};

// How a configuration reads and shows one (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, RoutePath& out);
std::string print_scalar(const RoutePath& path);
constexpr config::ScalarInfo scalar_info(std::type_identity<RoutePath>) {
  return {"a path", "/users", R"("type": "string", "pattern": "^/")", config::Quotes::allowed};
}

// A route matches when one of its hosts matches, and one of its paths or prefixes. No host: any
// host. No path and no prefix: any path.
struct RouteSpec {
  std::vector<HostPattern> hosts = {};
  std::vector<RoutePath> paths = {};  // the whole path
  // Whole segments: /users is /users and all below /users/, not /usersx. With a slash at its end
  // only what is below: /users/ is /users/ and /users/x, not /users. The prefix / is every path,
  // even the "*" of OPTIONS.
  std::vector<RoutePath> path_prefixes = {};
};

struct RouteInput {
  std::string_view host;  // from normalize_host
  std::string_view path;  // from http::normalize_path
};

// Immutable. Any number of workers may share one.
class Router {
 public:
  // May allocate.
  explicit Router(std::span<const RouteSpec> routes);

  // The first route that matches, or none. Does not allocate.
  RouteIndex match(const RouteInput& input) const noexcept;

 private:
  RouteTable table_;
};

// The conditions of a route that a request does not meet; none if the route matches.
struct RouteMismatch {
  bool host = false;
  bool path = false;
};

// Asks a router for each condition alone, so that it is the data path's code that judges. For
// explain; may allocate.
RouteMismatch find_mismatch(const RouteSpec& route, const RouteInput& input);

struct UnreachableRoute {
  RouteIndex route;
  RouteIndex
      shadowed_by;  // an earlier route that takes some of its requests; others may take the rest
};

// The routes, in order, that can never be chosen because earlier ones match everything they match.
std::vector<UnreachableRoute> find_unreachable(std::span<const RouteSpec> routes);

}  // namespace weir::proxy
