#include "proxy/router.h"

#include <algorithm>
#include <optional>

#include "protocol/http/path.h"

namespace weir::proxy {
namespace {

// A label or segment that no configured pattern has: parsed ones have no control characters.
constexpr char kUnnamed[] = "\x01";

std::vector<HostPattern> hosts_of(const RouteSpec& route) {
  if (route.hosts.empty()) return {HostPattern{}};
  return route.hosts;
}

// As http::normalize_path leaves the paths of requests; as it is if that refuses it.
std::string decode(const RoutePath& path) {
  std::string buffer(path.text.size(), '\0');
  return std::string(http::normalize_path(path.text, buffer).value_or(path.text));
}

std::vector<PathPattern> paths_of(const RouteSpec& route) {
  using Kind = PathPattern::Kind;
  if (route.paths.empty() && route.path_prefixes.empty()) return {PathPattern{}};
  std::vector<PathPattern> patterns;
  patterns.reserve(route.paths.size() + 2 * route.path_prefixes.size());
  for (const RoutePath& path : route.paths) {
    patterns.push_back({.kind = Kind::exact, .text = decode(path)});
  }
  for (const RoutePath& path : route.path_prefixes) {
    const std::string prefix = decode(path);
    if (prefix == "/") {
      patterns.push_back({});
    } else if (prefix.ends_with('/')) {
      patterns.push_back({.kind = Kind::below, .text = prefix});
    } else {
      patterns.push_back({.kind = Kind::exact, .text = prefix});
      patterns.push_back({.kind = Kind::below, .text = prefix + '/'});
    }
  }
  return patterns;
}

// A host that this pattern matches, and no other pattern that does not match all this one does.
std::string sample_of(const HostPattern& pattern) {
  switch (pattern.kind) {
    case HostPattern::Kind::any:
      return kUnnamed;
    case HostPattern::Kind::exact:
      return pattern.text;
    case HostPattern::Kind::suffix:
      return std::string(kUnnamed) + '.' + pattern.text;
    case HostPattern::Kind::prefix:
      return pattern.text + '.' + kUnnamed;
  }
  return {};
}

// The same for a path.
std::string sample_of(const PathPattern& pattern) {
  switch (pattern.kind) {
    case PathPattern::Kind::any:
      return kUnnamed;
    case PathPattern::Kind::exact:
      return pattern.text;
    case PathPattern::Kind::below:
      return pattern.text + kUnnamed;
  }
  return {};
}

// The earlier route that takes the first of this route's requests, if earlier ones take them all.
// One sample stands for each host and path pattern: what takes the sample takes all that they
// match.
std::optional<RouteIndex> find_shadow(const Router& router, const RouteSpec& route,
                                      RouteIndex index) {
  std::optional<RouteIndex> shadow;
  const std::vector<PathPattern> paths = paths_of(route);
  for (const HostPattern& host : hosts_of(route)) {
    const std::string host_sample = sample_of(host);
    for (const PathPattern& path : paths) {
      const RouteIndex taken = router.match({.host = host_sample, .path = sample_of(path)});
      if (taken == index) return std::nullopt;
      if (!shadow) shadow = taken;
    }
  }
  return shadow;
}

}  // namespace

std::expected<void, std::string> parse_scalar(std::string_view text, RoutePath& out) {
  if (!text.starts_with('/')) return std::unexpected("a path starts with '/'");
  if (text.contains('?') || text.contains('#')) {
    return std::unexpected("a path has no query and no fragment");
  }
  std::string buffer(text.size(), '\0');
  const auto decoded = http::normalize_path(text, buffer);
  if (!decoded) return std::unexpected("an escape is malformed, or '..' climbs above the root");
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  if (std::ranges::any_of(*decoded, is_control)) {
    return std::unexpected("a path has no control characters");
  }
  out.text = text;
  return {};
}

std::string print_scalar(const RoutePath& path) { return path.text; }

Router::Router(std::span<const RouteSpec> routes) {
  for (std::size_t number = 0; number < routes.size(); ++number) {
    const std::vector<PathPattern> paths = paths_of(routes[number]);
    for (const HostPattern& host : hosts_of(routes[number])) {
      for (const PathPattern& path : paths) {
        table_.insert(host, path, static_cast<RouteIndex>(number));
      }
    }
  }
}

RouteIndex Router::match(const RouteInput& input) const noexcept {
  return table_.match(input.host, input.path);
}

RouteMismatch find_mismatch(const RouteSpec& route, const RouteInput& input) {
  const RouteSpec hosts{.hosts = route.hosts};
  const RouteSpec paths{.paths = route.paths, .path_prefixes = route.path_prefixes};
  return {.host = Router({&hosts, 1}).match(input) == RouteIndex::none,
          .path = Router({&paths, 1}).match(input) == RouteIndex::none};
}

std::vector<UnreachableRoute> find_unreachable(std::span<const RouteSpec> routes) {
  const Router router(routes);
  std::vector<UnreachableRoute> unreachable;
  for (std::size_t number = 0; number < routes.size(); ++number) {
    const auto route = static_cast<RouteIndex>(number);
    if (const auto shadow = find_shadow(router, routes[number], route)) {
      unreachable.push_back({.route = route, .shadowed_by = *shadow});
    }
  }
  return unreachable;
}

}  // namespace weir::proxy
