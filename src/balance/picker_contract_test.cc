// What every balancing algorithm promises, run over pickers(): an entry there is enrolled by being
// there, with its defaults. Settings that make another algorithm of it are listed here.

#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <new>

#include "balance/balance_test_support.h"
#include "balance/pickers.h"
#include "base/random.h"

namespace {
std::size_t allocations = 0;
}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
// NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDelete): it takes this for a second release.
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace weir::balance {
namespace {

constexpr int kPicks = 50'000;

struct Variant {
  std::string name;
  BalanceSettings settings;
  double spread_max = 0.02;  // how far a server's part of all picks may be from its share
};

std::vector<Variant> variants() {
  std::vector<Variant> made;
  for (const PickerEntry& entry : pickers()) {
    made.push_back({std::string(entry.name), default_settings(entry.name)});
    // Where the points of a ring fall is chance.
    if (entry.name == "hash") made.back().spread_max = 0.05;
  }
  for (const auto& [name, method] : names_of(HashMethod{})) {
    for (const bool is_bounded : {false, true}) {
      HashSettings settings;
      settings.method = method;
      settings.table_size = 1'009;  // is built quickly
      if (is_bounded) settings.load_max = 1.25;
      made.push_back({fmt::format("hash_{}{}", name, is_bounded ? "_bounded" : ""), {}, 0.05});
      made.back().settings.hash = settings;
    }
  }
  return made;
}

class PickerContract : public testing::TestWithParam<Variant> {
 protected:
  PickerContract() : picker_(make_picker(GetParam().settings)) {}

  std::vector<ServerSpec> random_servers(std::uint32_t servers_max, std::uint32_t weight_max) {
    std::vector<std::uint32_t> weights(1 + random_.below(servers_max));
    for (std::uint32_t& weight : weights) weight = random_.below(weight_max + 1);
    return test::make_servers(weights);
  }
  ServerSet random_set(std::size_t servers, std::uint32_t out_of_ten) {
    ServerSet set(servers);
    for (std::size_t number = 0; number < servers; ++number) {
      if (random_.below(10) < out_of_ten) set.insert(to_server(number));
    }
    return set;
  }
  PickInput random_input(const ServerSet* excluded, std::span<const ServerIndex> tried) {
    return {.excluded = excluded, .tried = tried, .hash = random_.next(), .random = random_.next()};
  }
  std::unique_ptr<State> start(const Table& table) {
    return picker_->start(table, WorkerIndex{0}, 1);
  }

  Random random_{4};
  const std::unique_ptr<const Picker> picker_;
};

INSTANTIATE_TEST_SUITE_P(EveryPicker, PickerContract, testing::ValuesIn(variants()),
                         [](const auto& info) { return info.param.name; });

TEST(Pickers, AreFoundByTheirNames) {
  for (const PickerEntry& entry : pickers()) {
    EXPECT_EQ(picker_of(default_settings(entry.name)).name, entry.name);
  }
}

TEST_P(PickerContract, PicksAnAllowedCandidateWheneverThereIsOne) {
  for (int round = 0; round < 1000; ++round) {
    const auto servers = random_servers(100, 5);
    const ServerSet candidates = random_set(servers.size(), 7);
    const ServerSet excluded = random_set(servers.size(), random_.below(11));
    const ServerIndex tried[] = {to_server(random_.below(100)), to_server(random_.below(100))};
    const auto table = picker_->build(servers, candidates);
    const auto state = start(*table);

    const auto is_allowed = [&](ServerIndex server) {
      return candidates.contains(server) && servers[to_number(server)].weight > 0 &&
             !excluded.contains(server) && server != tried[0] && server != tried[1];
    };
    bool somebody = false;
    for (std::size_t i = 0; i < servers.size(); ++i) somebody |= is_allowed(to_server(i));
    for (int i = 0; i < 50; ++i) {
      const ServerIndex picked = picker_->pick(*table, *state, random_input(&excluded, tried));
      ASSERT_EQ(picked != ServerIndex::none, somebody);
      if (somebody) ASSERT_TRUE(is_allowed(picked));
    }
  }
}

TEST_P(PickerContract, PicksNobodyWithoutCandidates) {
  const auto table = picker_->build({}, ServerSet());
  EXPECT_EQ(picker_->pick(*table, *start(*table), {}), ServerIndex::none);
}

TEST_P(PickerContract, PicksTheSameFromTheSameStateAndInput) {
  const auto servers = random_servers(30, 5);
  const auto table = picker_->build(servers, random_set(servers.size(), 9));
  const ServerSet excluded = random_set(servers.size(), 2);
  const auto state = start(*table);
  for (int i = 0; i < 1000; ++i) {
    const PickInput input = random_input(&excluded, {});
    const auto copy = picker_->copy(*state);
    const ServerIndex expected = picker_->pick(*table, *copy, input);
    ASSERT_EQ(picker_->pick(*table, *state, input), expected);
    if (expected == ServerIndex::none) continue;
    const Duration took(random_.below(1'000'000));
    picker_->on_lease(*table, *state, expected, {});
    if (i % 3 != 0) picker_->on_response(*table, *state, expected, took, {});
    if (i % 2 == 0) {
      picker_->on_release(*table, *state, expected,
                          {.lasted = took, .outcome = static_cast<AttemptOutcome>(i % 3)}, {});
    }
  }
}

// Whether shares by weight are no aim of the algorithm.
bool ignores_weights(std::string_view name) { return name == "first"; }

// Under load: some of these algorithms look at nothing but what is in flight. Others go by how long
// the servers take, which is the same for all.
TEST_P(PickerContract, SpreadsByWeight) {
  if (ignores_weights(GetParam().name)) GTEST_SKIP() << "only weight 0 means something to it";
  constexpr int kInFlight = 200;
  constexpr Duration kTook = std::chrono::milliseconds(7);
  const auto servers = test::make_servers({5, 3, 2, 0});
  const auto table = picker_->build(servers, ServerSet::all(4));
  const auto state = start(*table);
  test::LeaseCounts leases(4);
  std::vector<ServerIndex> picks;
  int counts[4] = {};
  for (int i = 0; i < kPicks; ++i) {
    if (i >= kInFlight) {
      --leases[picks[i - kInFlight]];
      picker_->on_response(*table, *state, picks[i - kInFlight], kTook, {});
      picker_->on_release(*table, *state, picks[i - kInFlight], {.lasted = kTook}, {});
    }
    PickInput input = random_input(nullptr, {});
    input.leases = leases.counters();
    picks.push_back(picker_->pick(*table, *state, input));
    ++counts[to_number(picks.back())];
    ++leases[picks.back()];
    picker_->on_lease(*table, *state, picks.back(), {});
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(counts[i], kPicks * servers[i].weight / 10.0, kPicks * GetParam().spread_max);
  }
}

// Walks two states side by side, one of them with a recorder.
TEST_P(PickerContract, PicksTheSameWithARecorder) {
  for (int round = 0; round < 200; ++round) {
    const auto servers = random_servers(100, 5);
    const auto table = picker_->build(servers, random_set(servers.size(), 9));
    const ServerSet excluded = random_set(servers.size(), random_.below(11));
    const auto state = start(*table);
    const auto recorded_state = start(*table);
    test::LeaseCounts leases(servers.size());
    for (int i = 0; i < 100; ++i) {
      const ServerIndex tried[] = {to_server(random_.below(100))};
      PickInput input = random_input(i % 2 == 0 ? nullptr : &excluded, tried);
      input.leases = leases.counters();
      const ServerIndex picked = picker_->pick(*table, *state, input);
      PickRecorder recorder(servers.size());
      input.recorder = &recorder;
      const std::size_t before = allocations;
      ASSERT_EQ(picker_->pick(*table, *recorded_state, input), picked);
      ASSERT_EQ(allocations, before);
      if (picked == ServerIndex::none) continue;
      ++leases[picked];
      picker_->on_lease(*table, *state, picked, {});
      picker_->on_lease(*table, *recorded_state, picked, {});
    }
  }
}

TEST_P(PickerContract, RecordsTheChosenServerAndWhyOthersAreLeftOut) {
  int nobody = 0;
  for (int round = 0; round < 1000; ++round) {
    const auto servers = random_servers(100, 5);
    const ServerSet members = members_of(servers, random_set(servers.size(), 7));
    const ServerSet excluded = random_set(servers.size(), random_.below(11));
    const ServerIndex tried[] = {to_server(random_.below(100)), to_server(random_.below(100))};
    const auto table = picker_->build(servers, members);
    const auto state = start(*table);
    PickRecorder recorder(servers.size());
    PickInput input = random_input(&excluded, tried);
    input.recorder = &recorder;
    const ServerIndex picked = picker_->pick(*table, *state, input);

    ServerSet recorded(servers.size());
    for (const ConsideredServer& considered : recorder.considered()) {
      const ServerIndex server = considered.server;
      ASSERT_TRUE(members.contains(server));
      ASSERT_FALSE(recorded.contains(server));
      recorded.insert(server);
      const bool is_tried = server == tried[0] || server == tried[1];
      const PickVerdict expected = excluded.contains(server) ? PickVerdict::excluded
                                   : is_tried                ? PickVerdict::tried
                                   : server == picked        ? PickVerdict::chosen
                                                             : PickVerdict::behind;
      ASSERT_EQ(considered.verdict, expected);
    }
    if (picked == ServerIndex::none) {
      ASSERT_EQ(recorded, members);
      nobody += members.is_empty() ? 0 : 1;
    } else {
      ASSERT_TRUE(recorded.contains(picked));
    }
  }
  EXPECT_GT(nobody, 50);
}

TEST_P(PickerContract, DoesNotAllocateToPick) {
  const auto servers = random_servers(1000, 5);
  const ServerSet excluded = random_set(servers.size(), 5);
  const ServerIndex tried[] = {to_server(0)};
  const auto table = picker_->build(servers, ServerSet::all(servers.size()));
  const auto state = start(*table);
  const std::size_t before = allocations;
  for (int i = 0; i < 1000; ++i) {
    const ServerIndex picked =
        picker_->pick(*table, *state, random_input(i % 2 == 0 ? nullptr : &excluded, tried));
    if (picked == ServerIndex::none) continue;
    picker_->on_lease(*table, *state, picked, {});
    picker_->on_response(*table, *state, picked, {}, {});
    picker_->on_release(*table, *state, picked,
                        {.outcome = i % 5 == 0 ? AttemptOutcome::failed : AttemptOutcome::whole},
                        {});
  }
  EXPECT_EQ(allocations, before);
}

TEST_P(PickerContract, ServesLaterTablesOfTheSameServersWithTheSameState) {
  const auto servers = random_servers(40, 5);
  const auto state = start(*picker_->build(servers, ServerSet::all(servers.size())));
  for (int round = 0; round < 1000; ++round) {
    const ServerSet candidates = random_set(servers.size(), random_.below(11));
    const auto table = picker_->build(servers, candidates);
    for (int i = 0; i < 3; ++i) {
      const ServerIndex picked = picker_->pick(*table, *state, random_input(nullptr, {}));
      ASSERT_TRUE(picked == ServerIndex::none || candidates.contains(picked));
    }
  }
}

}  // namespace
}  // namespace weir::balance
