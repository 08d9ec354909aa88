// What a pick and a table cost, by the number of servers:
//   clang++-19 -std=c++23 -O2 -DNDEBUG -DWEIR_ASSERTIONS=0 -Isrc bench/micro/balance_bench.cc
//     src/balance/{server,picker,round_robin}.cc src/base/hash.cc -lbenchmark -lbenchmark_main

#include <benchmark/benchmark.h>

#include "balance/round_robin.h"

namespace weir::balance {
namespace {

std::vector<ServerSpec> make_servers(std::int64_t servers, std::uint32_t weights) {
  std::vector<ServerSpec> specs(static_cast<std::size_t>(servers));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    specs[i].weight = 1 + static_cast<std::uint32_t>(i) % weights;
  }
  return specs;
}

void pick(benchmark::State& bench, std::uint32_t weights, std::size_t excluded_each) {
  const RoundRobinPicker picker;
  const auto servers = make_servers(bench.range(0), weights);
  const auto table = picker.build(servers, ServerSet::all(servers.size()));
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  ServerSet excluded(servers.size());
  for (std::size_t i = 0; i < servers.size(); i += excluded_each) excluded.insert(to_server(i));
  const PickInput input{.excluded = &excluded};
  for (auto _ : bench) benchmark::DoNotOptimize(picker.pick(*table, *state, input));
}

void BM_PickEqual(benchmark::State& bench) { pick(bench, 1, kServersMax); }
void BM_PickWeighted(benchmark::State& bench) { pick(bench, 10, kServersMax); }
void BM_PickHalfExcluded(benchmark::State& bench) { pick(bench, 1, 2); }
void BM_PickAllExcluded(benchmark::State& bench) { pick(bench, 1, 1); }
BENCHMARK(BM_PickEqual)->Arg(3)->Arg(100)->Arg(10'000);
BENCHMARK(BM_PickWeighted)->Arg(3)->Arg(100)->Arg(10'000);
BENCHMARK(BM_PickHalfExcluded)->Arg(3)->Arg(100)->Arg(10'000);
BENCHMARK(BM_PickAllExcluded)->Arg(3)->Arg(100)->Arg(10'000);

void BM_Build(benchmark::State& bench) {
  const RoundRobinPicker picker;
  const auto servers = make_servers(bench.range(0), static_cast<std::uint32_t>(bench.range(1)));
  const ServerSet candidates = ServerSet::all(servers.size());
  for (auto _ : bench) benchmark::DoNotOptimize(picker.build(servers, candidates));
}
BENCHMARK(BM_Build)
    ->Args({3, 3})
    ->Args({100, 10})
    ->Args({10'000, 1})
    ->Args({10'000, 100})
    ->Args({10'000, 10'000})
    ->Args({65'535, 65'535})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weir::balance
