// What finding a route costs, by the number of routes, with the host's normalisation.

#include <benchmark/benchmark.h>

#include "base/random.h"
#include "proxy/router.h"

namespace weir::proxy {
namespace {

struct Request {
  std::string authority;
  std::string path;
};

// A list of routes, and a request for each that only it takes.
struct Routes {
  std::vector<RouteSpec> specs;
  std::vector<Request> requests;
};

std::string customer(std::size_t number) {
  return "customer" + std::to_string(number) + ".example.com";
}

// Ten path prefixes of each host; wildcards: *.customer7.example.com.
Routes make_hosts(std::size_t routes, HostPattern::Kind kind) {
  Routes made;
  for (std::size_t i = 0; i < routes; ++i) {
    const std::string host = customer(i / 10);
    const std::string path = "/api/service" + std::to_string(i % 10);
    made.specs.push_back({.hosts = {{.kind = kind, .text = host}}, .path_prefixes = {{path}}});
    const std::string_view label = kind == HostPattern::Kind::suffix ? "www." : "";
    made.requests.push_back({std::string(label) + host + ":8080", path + "/items/12345"});
  }
  return made;
}

Routes make_exact_hosts(std::size_t routes) { return make_hosts(routes, HostPattern::Kind::exact); }
Routes make_wildcard_hosts(std::size_t routes) {
  return make_hosts(routes, HostPattern::Kind::suffix);
}

// All of any host, told apart by their second segment.
Routes make_path_prefixes(std::size_t routes) {
  Routes made;
  for (std::size_t i = 0; i < routes; ++i) {
    const std::string path = "/api/service" + std::to_string(i);
    made.specs.push_back({.path_prefixes = {{path}}});
    made.requests.push_back({"www.example.com:8080", path + "/items/12345"});
  }
  return made;
}

// Of exact hosts, wildcards and paths of any host, one list: each request looks for all of them.
Routes make_mixed(std::size_t routes) {
  Routes mixed = make_exact_hosts(routes / 2);
  for (const Routes& more : {make_wildcard_hosts(routes / 4), make_path_prefixes(routes / 4)}) {
    mixed.specs.insert(mixed.specs.end(), more.specs.begin(), more.specs.end());
    mixed.requests.insert(mixed.requests.end(), more.requests.begin(), more.requests.end());
  }
  return mixed;
}

enum class Expect : std::uint8_t { hit, miss };

// Requests for routes all over the table, so that large tables miss the caches as they would. Those
// that miss have hosts and paths as long as the others.
void match(benchmark::State& bench, Routes (*make)(std::size_t), Expect expect) {
  const Routes routes = make(static_cast<std::size_t>(bench.range(0)));
  const Router router(routes.specs);
  Random random(1);
  std::vector<Request> requests(4096);
  for (Request& request : requests) {
    request = routes.requests[random.below(static_cast<std::uint32_t>(routes.requests.size()))];
    if (expect == Expect::hit) continue;
    request.authority.replace(request.authority.find(".com"), 4, ".org");
    request.path.replace(1, 3, "old");
  }
  std::size_t at = 0;
  for (auto _ : bench) {
    const Request& request = requests[at++ % requests.size()];
    HostBuffer buffer;
    const auto host = normalize_host(request.authority, buffer);
    const RouteIndex found = router.match({.host = *host, .path = request.path});
    if ((found == RouteIndex::none) != (expect == Expect::miss)) bench.SkipWithError("wrong route");
  }
}

void add_sizes(benchmark::internal::Benchmark* bench) { bench->Arg(10)->Arg(1'000)->Arg(100'000); }
BENCHMARK_CAPTURE(match, exact_host_hit, make_exact_hosts, Expect::hit)->Apply(add_sizes);
BENCHMARK_CAPTURE(match, exact_host_miss, make_exact_hosts, Expect::miss)->Apply(add_sizes);
BENCHMARK_CAPTURE(match, wildcard_host_hit, make_wildcard_hosts, Expect::hit)->Apply(add_sizes);
BENCHMARK_CAPTURE(match, wildcard_host_miss, make_wildcard_hosts, Expect::miss)->Apply(add_sizes);
BENCHMARK_CAPTURE(match, path_prefix_hit, make_path_prefixes, Expect::hit)->Apply(add_sizes);
BENCHMARK_CAPTURE(match, path_prefix_miss, make_path_prefixes, Expect::miss)->Apply(add_sizes);

BENCHMARK_CAPTURE(match, mixed_hit, make_mixed, Expect::hit)->Apply(add_sizes);
BENCHMARK_CAPTURE(match, mixed_miss, make_mixed, Expect::miss)->Apply(add_sizes);

void normalize(benchmark::State& bench) {
  HostBuffer buffer;
  for (auto _ : bench) {
    benchmark::DoNotOptimize(normalize_host("customer123.example.com:8080", buffer));
  }
}
BENCHMARK(normalize)->Name("normalize_host");

void build(benchmark::State& bench) {
  const Routes routes = make_exact_hosts(static_cast<std::size_t>(bench.range(0)));
  for (auto _ : bench) benchmark::DoNotOptimize(Router(routes.specs));
}
void find_shadowed(benchmark::State& bench) {
  const Routes routes = make_exact_hosts(static_cast<std::size_t>(bench.range(0)));
  for (auto _ : bench) benchmark::DoNotOptimize(find_unreachable(routes.specs));
}
BENCHMARK(build)->Name("build_router")->Arg(10)->Arg(100'000)->Unit(benchmark::kMicrosecond);
BENCHMARK(find_shadowed)
    ->Name("find_unreachable")
    ->Arg(10)
    ->Arg(100'000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weir::proxy
