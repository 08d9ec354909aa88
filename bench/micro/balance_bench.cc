// What a pick and a table cost, by the number of servers.

#include <benchmark/benchmark.h>

#include "balance/balance_test_support.h"
#include "balance/pickers.h"
#include "base/random.h"

namespace weir::balance {
namespace {

std::vector<ServerSpec> make_servers(std::int64_t servers, std::uint32_t weights) {
  std::vector<std::uint32_t> made(static_cast<std::size_t>(servers));
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i] = 1 + static_cast<std::uint32_t>(i) % weights;
  }
  return test::make_servers(made);
}

// Picks without leases; each `excluded_each`-th server is left out, none if it is 0.
void pick(benchmark::State& bench, const BalanceSettings& settings, std::uint32_t weights,
          std::size_t excluded_each) {
  const auto picker = make_picker(settings);
  const auto servers = make_servers(bench.range(0), weights);
  const auto table = picker->build(servers, ServerSet::all(servers.size()));
  const auto state = picker->start(*table, WorkerIndex{0}, 1);
  ServerSet excluded(servers.size());
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (excluded_each != 0 && i % excluded_each == 0) excluded.insert(to_server(i));
  }
  const test::LeaseCounts leases(servers.size());
  Random random(1);
  for (auto _ : bench) {
    const PickInput input{.excluded = &excluded,
                          .leases = leases.counters(),
                          .hash = random.next(),
                          .random = random.next()};
    benchmark::DoNotOptimize(picker->pick(*table, *state, input));
  }
}

// Picks, leases and releases, 100 in flight for each worker; threads are workers of one backend.
void lease(benchmark::State& bench, const BalanceSettings& settings) {
  constexpr std::size_t kInFlight = 100;
  static const auto servers = make_servers(100, 1);
  static test::LeaseCounts leases(servers.size());
  const auto picker = make_picker(settings);
  const auto table = picker->build(servers, ServerSet::all(servers.size()));
  const auto worker = static_cast<std::uint16_t>(bench.thread_index());
  const auto state = picker->start(*table, WorkerIndex{worker}, worker + 1);
  Random random(worker);
  std::vector<ServerIndex> held(kInFlight, ServerIndex::none);
  std::size_t at = 0;
  const auto release = [&](ServerIndex server) {
    if (server == ServerIndex::none) return;
    leases[server].fetch_sub(1, std::memory_order_relaxed);
    picker->on_release(*table, *state, server, {}, {});
  };
  for (auto _ : bench) {
    release(held[at]);
    const PickInput input{
        .leases = leases.counters(), .hash = random.next(), .random = random.next()};
    held[at] = picker->pick(*table, *state, input);
    leases[held[at]].fetch_add(1, std::memory_order_relaxed);
    picker->on_lease(*table, *state, held[at], {});
    at = (at + 1) % kInFlight;
  }
  for (const ServerIndex server : held) release(server);
}

void build(benchmark::State& bench, const BalanceSettings& settings) {
  const auto picker = make_picker(settings);
  const auto servers = make_servers(bench.range(0), static_cast<std::uint32_t>(bench.range(1)));
  const ServerSet candidates = ServerSet::all(servers.size());
  for (auto _ : bench) benchmark::DoNotOptimize(picker->build(servers, candidates));
}

void add_rows(const std::string& name, const BalanceSettings& settings) {
  const auto row = [&](const char* what) { return name + "/" + what; };
  for (const auto& [what, weights, excluded_each] :
       {std::tuple{"pick_equal", 1U, std::size_t{0}},
        std::tuple{"pick_weighted", 10U, std::size_t{0}},
        std::tuple{"pick_half_excluded", 1U, std::size_t{2}},
        std::tuple{"pick_all_excluded", 1U, std::size_t{1}}}) {
    benchmark::RegisterBenchmark(row(what).c_str(), pick, settings, weights, excluded_each)
        ->Arg(3)
        ->Arg(100)
        ->Arg(1'000)
        ->Arg(10'000);
  }
  benchmark::RegisterBenchmark(row("lease").c_str(), lease, settings)->ThreadRange(1, 2);
  benchmark::RegisterBenchmark(row("build").c_str(), build, settings)
      ->Args({3, 3})
      ->Args({100, 10})
      ->Args({10'000, 1})
      ->Args({10'000, 100})
      ->Args({10'000, 10'000})
      ->Args({65'535, 65'535})
      ->Unit(benchmark::kMicrosecond);
}

[[maybe_unused]] const bool added = [] {
  for (const PickerEntry& entry : pickers()) {
    if (entry.name != "hash") add_rows(std::string(entry.name), default_settings(entry.name));
  }
  for (const auto& [name, method] : names_of(HashMethod{})) {
    BalanceSettings settings = default_settings("hash");
    settings.hash->method = method;
    add_rows("hash_" + std::string(name), settings);
  }
  BalanceSettings bounded = default_settings("hash");
  bounded.hash->load_max = 1.25;
  add_rows("hash_ring_bounded", bounded);
  return true;
}();

}  // namespace
}  // namespace weir::balance
