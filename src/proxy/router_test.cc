#include "proxy/router.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace weir::proxy {
namespace {

using Texts = std::vector<std::string>;

template <class T>
std::vector<T> parse_all(const Texts& texts) {
  std::vector<T> values;
  for (const std::string& text : texts) {
    const auto parsed = parse_scalar(text, values.emplace_back());
    EXPECT_TRUE(parsed) << text << ": " << parsed.error();
  }
  return values;
}

RouteSpec spec(const Texts& hosts, const Texts& paths, const Texts& prefixes) {
  return {.hosts = parse_all<HostPattern>(hosts),
          .paths = parse_all<RoutePath>(paths),
          .path_prefixes = parse_all<RoutePath>(prefixes)};
}
RouteSpec host(const std::string& pattern) { return spec({pattern}, {}, {}); }
RouteSpec prefix(const std::string& text) { return spec({}, {}, {text}); }

// The number of the route, -1 for none.
int match(const std::vector<RouteSpec>& routes, std::string_view authority, std::string_view path) {
  HostBuffer buffer;
  const auto normalized = normalize_host(authority, buffer).value_or("(refused)");
  return static_cast<int>(Router(routes).match({.host = normalized, .path = path}));
}
bool matches(const RouteSpec& route, std::string_view authority, std::string_view path) {
  return match({route}, authority, path) == 0;
}

TEST(Router, TakesEverythingWithAnEmptyMatch) {
  EXPECT_TRUE(matches({}, "a.example", "/x"));
  EXPECT_TRUE(matches({}, "", "*"));
  EXPECT_EQ(match({}, "a.example", "/"), -1);
}

TEST(Router, MatchesAnExactHostWithoutCaseAndPort) {
  EXPECT_TRUE(matches(host("api.example.com"), "API.example.com.:8080", "/"));
  EXPECT_FALSE(matches(host("api.example.com"), "example.com", "/"));
  EXPECT_FALSE(matches(host("api.example.com"), "x.api.example.com", "/"));
  EXPECT_TRUE(matches(host("[::1]"), "[::1]:80", "/"));
}

TEST(Router, MatchesAnyNumberOfLabelsBeforeAWildcardHost) {
  EXPECT_TRUE(matches(host("*.example.com"), "a.example.com", "/"));
  EXPECT_TRUE(matches(host("*.example.com"), "c.b.a.example.com", "/"));
  EXPECT_FALSE(matches(host("*.example.com"), "example.com", "/"));
  EXPECT_FALSE(matches(host("*.example.com"), "aexample.com", "/"));
  EXPECT_TRUE(matches(host("*"), "example.com", "/"));
  EXPECT_TRUE(matches(host("*"), "", "/"));
}

TEST(Router, MatchesAnyNumberOfLabelsBehindAWildcardHost) {
  EXPECT_TRUE(matches(host("api-beta.*"), "api-beta.example.com", "/"));
  EXPECT_TRUE(matches(host("api-beta.*"), "api-beta.local", "/"));
  EXPECT_FALSE(matches(host("api-beta.*"), "api-beta", "/"));
  EXPECT_FALSE(matches(host("api-beta.*"), "api-beta2.example.com", "/"));
  EXPECT_FALSE(matches(host("api-beta.*"), "x.api-beta.example.com", "/"));
}

TEST(Router, MatchesAnExactPathByteForByte) {
  const RouteSpec route = spec({}, {"/users"}, {});
  EXPECT_TRUE(matches(route, "", "/users"));
  EXPECT_FALSE(matches(route, "", "/users/"));
  EXPECT_FALSE(matches(route, "", "/Users"));
}

TEST(Router, NormalizesThePathsOfRoutesAsThoseOfRequests) {
  EXPECT_TRUE(matches(spec({}, {"/a%20b"}, {}), "", "/a b"));
  EXPECT_TRUE(matches(spec({}, {"/a//b/./c"}, {}), "", "/a/b/c"));
  EXPECT_TRUE(matches(prefix("/%75sers%2f"), "", "/users/1"));
  EXPECT_EQ(find_unreachable(std::vector{prefix("/users"), prefix("/%75sers")}).size(), 1U);
}

TEST(Router, MatchesAPrefixByWholeSegments) {
  EXPECT_TRUE(matches(prefix("/users"), "", "/users"));
  EXPECT_TRUE(matches(prefix("/users"), "", "/users/"));
  EXPECT_TRUE(matches(prefix("/users"), "", "/users/1/posts"));
  EXPECT_FALSE(matches(prefix("/users"), "", "/usersx"));
  EXPECT_FALSE(matches(prefix("/users"), "", "/user"));
  EXPECT_FALSE(matches(prefix("/users"), "", "/"));
}

TEST(Router, MatchesOnlyWhatIsBelowAPrefixThatEndsInASlash) {
  EXPECT_TRUE(matches(prefix("/users/"), "", "/users/"));
  EXPECT_TRUE(matches(prefix("/users/"), "", "/users/1"));
  EXPECT_FALSE(matches(prefix("/users/"), "", "/users"));
}

TEST(Router, TakesEveryPathWithThePrefixSlash) {
  EXPECT_TRUE(matches(prefix("/"), "", "/"));
  EXPECT_TRUE(matches(prefix("/"), "", "/a/b"));
  EXPECT_TRUE(matches(prefix("/"), "", "*"));
}

TEST(Router, TakesTheFirstInOrderAndNotTheMostSpecific) {
  const std::vector<RouteSpec> routes = {
      spec({"*.example.com"}, {}, {"/a"}),
      spec({"x.example.com"}, {}, {"/a/b"}),
      spec({"x.example.com"}, {"/c"}, {}),
      {},
  };
  EXPECT_EQ(match(routes, "x.example.com", "/a/b"), 0);
  EXPECT_EQ(match(routes, "x.example.com", "/c"), 2);
  EXPECT_EQ(match(routes, "y.example.com", "/c"), 3);
}

TEST(Router, MatchesAnyOfSeveralHostsWithAnyOfSeveralPaths) {
  const RouteSpec route = spec({"a.example", "*.b.example"}, {"/x"}, {"/y", "/z/"});
  EXPECT_TRUE(matches(route, "a.example", "/x"));
  EXPECT_TRUE(matches(route, "a.example", "/y/1"));
  EXPECT_TRUE(matches(route, "c.b.example", "/z/"));
  EXPECT_FALSE(matches(route, "b.example", "/x"));
  EXPECT_FALSE(matches(route, "a.example", "/x/1"));
}

TEST(RoutePath, SaysWhatIsWrong) {
  const auto problem_of = [](std::string_view text) {
    RoutePath path;
    const auto parsed = parse_scalar(text, path);
    return parsed ? "(accepted)" : parsed.error();
  };
  EXPECT_EQ(problem_of("/"), "(accepted)");
  EXPECT_EQ(problem_of("/a/.b/..c/d."), "(accepted)");
  EXPECT_EQ(problem_of(""), "a path starts with '/'");
  EXPECT_EQ(problem_of("users"), "a path starts with '/'");
  EXPECT_EQ(problem_of("/a?b=1"), "a path has no query and no fragment");
  EXPECT_EQ(problem_of("/a#b"), "a path has no query and no fragment");
  EXPECT_EQ(problem_of("/a%2"), "an escape is malformed, or '..' climbs above the root");
  EXPECT_EQ(problem_of("/a/../.."), "an escape is malformed, or '..' climbs above the root");
  EXPECT_EQ(problem_of("/a\tb"), "a path has no control characters");
  EXPECT_EQ(problem_of("/a%01b"), "a path has no control characters");
}

// A list of routes over a small vocabulary, so that much of it overlaps.
class RandomRoutes {
 public:
  explicit RandomRoutes(std::uint64_t seed) : random_(seed) {}

  std::vector<RouteSpec> routes(std::uint32_t routes_max) {
    std::vector<RouteSpec> routes(1 + random_.below(routes_max));
    for (RouteSpec& route : routes) {
      for (std::uint32_t i = random_.below(3); i > 0; --i) {
        const HostPattern pattern = host_pattern();
        route.hosts.push_back(pattern);
      }
      for (std::uint32_t i = random_.below(3); i > 0; --i) route.paths.push_back({path(3)});
      for (std::uint32_t i = random_.below(3); i > 0; --i) route.path_prefixes.push_back({path(3)});
    }
    return routes;
  }
  std::string host_name(std::uint32_t labels_max) {
    std::string name = label();
    for (std::uint32_t i = random_.below(labels_max); i > 0; --i) name += '.' + label();
    return name;
  }
  std::string path(std::uint32_t segments_max) {
    std::string path;
    for (std::uint32_t i = random_.below(segments_max + 1); i > 0; --i) path += '/' + label();
    if (path.empty() || random_.below(3) == 0) path += '/';
    return path;
  }

 private:
  std::string label() { return random_.below(2) == 0 ? "a" : "bb"; }
  HostPattern host_pattern() {
    const auto kind = static_cast<HostPattern::Kind>(random_.below(4));
    if (kind == HostPattern::Kind::any) return {};
    return {.kind = kind, .text = host_name(2)};
  }

  Random random_;
};

// The obvious matcher: every route in turn, every pattern as its definition says.
bool matches_host(const HostPattern& pattern, std::string_view host) {
  switch (pattern.kind) {
    case HostPattern::Kind::any:
      return true;
    case HostPattern::Kind::exact:
      return host == pattern.text;
    case HostPattern::Kind::suffix:
      return host.ends_with('.' + pattern.text);
    case HostPattern::Kind::prefix:
      return host.starts_with(pattern.text + '.');
  }
  return false;
}

bool matches_slowly(const RouteSpec& route, const RouteInput& input) {
  bool host_matches = route.hosts.empty();
  for (const HostPattern& pattern : route.hosts) host_matches |= matches_host(pattern, input.host);
  bool path_matches = route.paths.empty() && route.path_prefixes.empty();
  for (const RoutePath& path : route.paths) path_matches |= input.path == path.text;
  for (const RoutePath& prefix : route.path_prefixes) {
    path_matches |= input.path == prefix.text || prefix.text == "/";
    path_matches |= prefix.text.ends_with('/') ? input.path.starts_with(prefix.text)
                                               : input.path.starts_with(prefix.text + '/');
  }
  return host_matches && path_matches;
}

RouteIndex match_slowly(std::span<const RouteSpec> routes, const RouteInput& input) {
  for (std::size_t number = 0; number < routes.size(); ++number) {
    if (matches_slowly(routes[number], input)) return static_cast<RouteIndex>(number);
  }
  return RouteIndex::none;
}

TEST(Router, AgreesWithTryingOneRouteAfterTheOther) {
  RandomRoutes random(6);
  for (int round = 0; round < 2'000; ++round) {
    const auto routes = random.routes(round % 10 == 0 ? 100 : 8);
    const Router router(routes);
    for (int i = 0; i < 50; ++i) {
      const std::string name = random.host_name(4);
      const std::string path = random.path(5);
      const RouteInput input{.host = name, .path = path};
      ASSERT_EQ(router.match(input), match_slowly(routes, input)) << name << ' ' << path;
    }
  }
}

TEST(FindMismatch, FindsAConditionThatFailsOfEachRouteThatDoesNotMatch) {
  RandomRoutes random(9);
  for (int round = 0; round < 2'000; ++round) {
    const RouteSpec route = random.routes(1).front();
    const std::string name = random.host_name(4);
    const std::string path = random.path(5);
    const RouteInput input{.host = name, .path = path};
    const RouteMismatch mismatch = find_mismatch(route, input);
    ASSERT_EQ(!mismatch.host && !mismatch.path, matches_slowly(route, input)) << name << path;
    ASSERT_EQ(mismatch.host, !matches_slowly({.hosts = route.hosts}, input)) << name << path;
  }
}

TEST(Router, AgreesOnHostsAndPathsOfOddForm) {
  RandomRoutes random(7);
  const Texts hosts = {"", ".", "..", "a.", ".a", "a..bb", "...................", "[::1]"};
  const Texts paths = {"", "*", "a", "a/", "//", "/a//bb", "///", "/a/bb/a/bb/a/bb/a/bb/a/bb"};
  for (int round = 0; round < 500; ++round) {
    const auto routes = random.routes(8);
    const Router router(routes);
    for (const std::string& name : hosts) {
      for (const std::string& path : paths) {
        const RouteInput input{.host = name, .path = path};
        ASSERT_EQ(router.match(input), match_slowly(routes, input)) << name << ' ' << path;
      }
    }
  }
}

TEST(Router, FindsEachOfManyRoutes) {
  std::vector<RouteSpec> routes(20'000);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    routes[i] =
        spec({"h" + std::to_string(i / 10) + ".example"}, {}, {"/p" + std::to_string(i % 10)});
  }
  const Router router(routes);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const RouteInput input{.host = routes[i].hosts[0].text,
                           .path = routes[i].path_prefixes[0].text};
    ASSERT_EQ(router.match(input), static_cast<RouteIndex>(i));
  }
  EXPECT_TRUE(find_unreachable(routes).empty());
}

// "3<1": route 3 is unreachable because of route 1.
std::string unreachable(const std::vector<RouteSpec>& routes) {
  std::string text;
  for (const UnreachableRoute& found : find_unreachable(routes)) {
    text += std::to_string(static_cast<std::uint32_t>(found.route)) + '<' +
            std::to_string(static_cast<std::uint32_t>(found.shadowed_by)) + ' ';
  }
  return text;
}

TEST(FindUnreachable, FindsWhatEarlierRoutesTake) {
  EXPECT_EQ(unreachable({{}, host("a.example")}), "1<0 ");
  EXPECT_EQ(unreachable({prefix("/"), {}}), "1<0 ");
  EXPECT_EQ(unreachable({host("*.example"), host("*.a.example"), host("b.example")}), "1<0 2<0 ");
  EXPECT_EQ(unreachable({host("a.*"), host("a.b.*"), host("a.b")}), "1<0 2<0 ");
  EXPECT_EQ(unreachable({prefix("/a"), prefix("/a/b"), prefix("/a/"), spec({}, {"/a"}, {})}),
            "1<0 2<0 3<0 ");
  EXPECT_EQ(unreachable({host("a.example"), prefix("/x"), spec({"a.example"}, {}, {"/x"})}),
            "2<0 ");
}

TEST(FindUnreachable, LeavesAloneWhatCanStillBeReached) {
  EXPECT_EQ(unreachable({host("a.example"), {}}), "");
  EXPECT_EQ(unreachable({host("*.example"), host("example")}), "");
  EXPECT_EQ(unreachable({host("a.*"), host("*.a")}), "");
  EXPECT_EQ(unreachable({prefix("/a/"), prefix("/a")}), "");
  EXPECT_EQ(unreachable({prefix("/a/b"), prefix("/a")}), "");
  EXPECT_EQ(unreachable({spec({"a.example"}, {}, {"/x"}), host("a.example"), prefix("/x")}), "");
}

TEST(FindUnreachable, AddsUpWhatSeveralRoutesTake) {
  EXPECT_EQ(unreachable({spec({}, {"/a"}, {}), prefix("/a/"), prefix("/a")}), "2<0 ");
  EXPECT_EQ(unreachable({host("a.example"), host("*.b.example"),
                         spec({"x.b.example", "a.example"}, {}, {})}),
            "2<1 ");
}

TEST(FindUnreachable, AgreesWithTryingEveryRequestOfASmallWorld) {
  Texts names = {""};
  Texts paths = {"*", "/"};
  // "z" is in no pattern: it stands for every label that the routes do not name.
  for (const std::string first : {"a", "bb", "z"}) {
    names.push_back(first);
    paths.insert(paths.end(), {'/' + first, '/' + first + '/'});
  }
  for (std::size_t from = 1, level = 0; level < 2; ++level) {
    const std::size_t end = names.size();
    for (; from < end; ++from) {
      for (const auto label : {"a", "bb", "z"}) names.push_back(names[from] + '.' + label);
    }
  }
  for (std::size_t from = 2, level = 0; level < 3; ++level) {
    const std::size_t end = paths.size();
    for (; from < end; ++from) {
      if (!paths[from].ends_with('/')) continue;
      for (const std::string label : {"a", "bb", "z"}) {
        const std::string longer = paths[from] + label;
        paths.insert(paths.end(), {longer, longer + '/'});
      }
    }
  }
  RandomRoutes random(8);
  for (int round = 0; round < 300; ++round) {
    const auto routes = random.routes(8);
    std::vector<bool> is_reached(routes.size());
    for (const std::string& name : names) {
      for (const std::string& path : paths) {
        const RouteIndex found = match_slowly(routes, {.host = name, .path = path});
        if (found != RouteIndex::none) is_reached[static_cast<std::size_t>(found)] = true;
      }
    }
    std::vector<bool> expected_reached(routes.size(), true);
    for (const UnreachableRoute& found : find_unreachable(routes)) {
      expected_reached[static_cast<std::size_t>(found.route)] = false;
      ASSERT_LT(found.shadowed_by, found.route);
    }
    ASSERT_EQ(is_reached, expected_reached);
  }
}

}  // namespace
}  // namespace weir::proxy
