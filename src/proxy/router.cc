#include "proxy/router.h"

#include <algorithm>
#include <optional>

namespace weir::proxy {
namespace {

// A label or segment that no configured pattern has: patterns have no control characters.
constexpr char kUnnamed[] = "\x01";

std::vector<HostPattern> hosts_of(const RouteSpec& route) {
  if (route.hosts.empty()) return {HostPattern{}};
  return route.hosts;
}

std::vector<PathPattern> paths_of(const RouteSpec& route) {
  using Kind = PathPattern::Kind;
  if (route.paths.empty() && route.path_prefixes.empty()) return {PathPattern{}};
  std::vector<PathPattern> patterns;
  patterns.reserve(route.paths.size() + 2 * route.path_prefixes.size());
  for (const RoutePath& path : route.paths) {
    patterns.push_back({.kind = Kind::exact, .text = path.text});
  }
  for (const RoutePath& prefix : route.path_prefixes) {
    if (prefix.text == "/") {
      patterns.push_back({});
    } else if (prefix.text.ends_with('/')) {
      patterns.push_back({.kind = Kind::below, .text = prefix.text});
    } else {
      patterns.push_back({.kind = Kind::exact, .text = prefix.text});
      patterns.push_back({.kind = Kind::below, .text = prefix.text + '/'});
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
  const auto is_control = [](char c) { return (c >= 0 && c <= ' ') || c == 0x7f; };
  if (std::ranges::any_of(text, is_control)) {
    return std::unexpected("white space and control characters are written as %20 and so on");
  }
  if (text.contains('?') || text.contains('#')) {
    return std::unexpected("a path has no query and no fragment");
  }
  if (text.contains("//")) {
    return std::unexpected("repeated slashes never match: request paths are normalised first");
  }
  for (std::string_view rest = text; !rest.empty();) {
    rest.remove_prefix(1);
    const std::string_view segment = rest.substr(0, rest.find('/'));
    if (segment == "." || segment == "..") {
      return std::unexpected("'.' and '..' never match: request paths are normalised first");
    }
    rest.remove_prefix(segment.size());
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
