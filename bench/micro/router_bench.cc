// What a match costs, by the number of routes: hosts x 10 path prefixes, exact hosts or wildcards.
//   clang++-19 -std=c++23 -O2 -DNDEBUG -DWEIR_ASSERTIONS=0 -Isrc bench/micro/router_bench.cc
//     src/proxy/{host_pattern,route_table,router}.cc src/protocol/http/path.cc src/base/hash.cc
//     -lbenchmark -lbenchmark_main

#include <benchmark/benchmark.h>

#include "base/random.h"
#include "proxy/router.h"

namespace weir::proxy {
namespace {

using Kind = HostPattern::Kind;

std::vector<RouteSpec> make_routes(std::int64_t routes, Kind kind) {
  std::vector<RouteSpec> specs(static_cast<std::size_t>(routes));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::string name = "customer" + std::to_string(i / 10) + ".example.com";
    specs[i].hosts = {{.kind = kind, .text = name}};
    specs[i].path_prefixes = {{"/api/service" + std::to_string(i % 10)}};
  }
  return specs;
}

// Requests for routes all over the table, so that large tables miss the caches as they would.
void match(benchmark::State& bench, Kind kind) {
  const auto routes = make_routes(bench.range(0), kind);
  const Router router(routes);
  Random random(1);
  struct Request {
    std::string authority;
    std::string path;
  };
  std::vector<Request> requests(4096);
  for (Request& request : requests) {
    const auto& route = routes[random.below(static_cast<std::uint32_t>(routes.size()))];
    request.authority = (kind == Kind::suffix ? "www." : "") + route.hosts[0].text + ":8080";
    request.path = route.path_prefixes[0].text + "/items/12345";
  }
  std::size_t at = 0;
  for (auto _ : bench) {
    const Request& request = requests[at++ % requests.size()];
    HostBuffer buffer;
    const auto host = normalize_host(request.authority, buffer);
    benchmark::DoNotOptimize(router.match({.host = *host, .path = request.path}));
  }
}
void BM_MatchExactHost(benchmark::State& bench) { match(bench, Kind::exact); }
void BM_MatchWildcardHost(benchmark::State& bench) { match(bench, Kind::suffix); }
BENCHMARK(BM_MatchExactHost)->Arg(10)->Arg(1'000)->Arg(100'000);
BENCHMARK(BM_MatchWildcardHost)->Arg(10)->Arg(1'000)->Arg(100'000);

void BM_Normalize(benchmark::State& bench) {
  HostBuffer buffer;
  for (auto _ : bench) {
    benchmark::DoNotOptimize(normalize_host("customer123.example.com:8080", buffer));
  }
}
BENCHMARK(BM_Normalize);

void BM_Build(benchmark::State& bench) {
  const auto routes = make_routes(bench.range(0), Kind::exact);
  for (auto _ : bench) benchmark::DoNotOptimize(Router(routes));
}
void BM_FindUnreachable(benchmark::State& bench) {
  const auto routes = make_routes(bench.range(0), Kind::exact);
  for (auto _ : bench) benchmark::DoNotOptimize(find_unreachable(routes));
}
BENCHMARK(BM_Build)->Arg(10)->Arg(100'000)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_FindUnreachable)->Arg(10)->Arg(100'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weir::proxy
