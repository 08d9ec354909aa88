#include "balance/power_of_two.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "balance/balance_test_support.h"
#include "balance/random.h"
#include "base/random.h"

namespace weir::balance {
namespace {

using test::LeaseCounts;

// One backend and its only worker.
class Choices {
 public:
  Choices(const Picker& picker, std::vector<ServerSpec> servers, std::uint64_t seed)
      : picker_(picker),
        table_(picker.build(servers, ServerSet::all(servers.size()))),
        state_(picker.start(*table_, WorkerIndex{0}, 1)),
        random_(seed) {}

  ServerIndex pick(PickInput input) {
    input.random = random_.next();
    return picker_.pick(*table_, *state_, input);
  }
  // The number of leases on the fullest server when every pick is kept.
  std::uint32_t fullest_after(int picks, LeaseCounts& leases) {
    std::uint32_t fullest = 0;
    for (int i = 0; i < picks; ++i) {
      const ServerIndex picked = pick({.leases = leases.counters()});
      fullest = std::max(fullest, ++leases[picked]);
    }
    return fullest;
  }

 private:
  const Picker& picker_;
  std::unique_ptr<const Table> table_;
  std::unique_ptr<State> state_;
  Random random_;
};

TEST(PowerOfTwo, TakesTheServerWithFewerLeasesOfTwo) {
  const LeaseCounts leases{5, 3};
  const PowerOfTwoPicker picker;
  Choices choices(picker, {{}, {}}, 1);
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(choices.pick({.leases = leases.counters()}), to_server(1));
}

TEST(PowerOfTwo, ComparesLeasesByWeight) {
  const LeaseCounts leases{5, 3};
  const PowerOfTwoPicker picker;
  Choices choices(picker, {{.weight = 2}, {.weight = 1}}, 1);
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(choices.pick({.leases = leases.counters()}), to_server(0));
}

TEST(PowerOfTwo, DrawsTwoDifferentServers) {
  // However likely a server is to be drawn, it loses against any other.
  const LeaseCounts leases{0, 1'000'000, 0, 0};
  const PowerOfTwoPicker picker;
  Choices choices(picker, {{}, {.weight = 1000}, {}, {}}, 2);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_NE(choices.pick({.leases = leases.counters()}), to_server(1));
  }
}

TEST(PowerOfTwo, TakesTheOnlyServerThatIsAllowed) {
  const LeaseCounts leases{0, 9, 0};
  const ServerIndex tried[] = {to_server(0), to_server(2)};
  const PowerOfTwoPicker picker;
  Choices choices(picker, {{}, {}, {}}, 3);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(choices.pick({.tried = tried, .leases = leases.counters()}), to_server(1));
  }
}

TEST(PowerOfTwo, GivesIdleServersTheirSharesByWeight) {
  const PowerOfTwoPicker picker;
  Choices choices(picker, {{.weight = 5}, {.weight = 3}, {.weight = 2}}, 4);
  int counts[3] = {};
  for (int i = 0; i < 100'000; ++i) ++counts[to_number(choices.pick({}))];
  EXPECT_NEAR(counts[0], 50'000, 800);
  EXPECT_NEAR(counts[1], 30'000, 800);
  EXPECT_NEAR(counts[2], 20'000, 800);
}

// n leases on n servers: the fullest has about log n / log log n with one choice and
// log log n / log 2 with two.
TEST(PowerOfTwo, FillsTheFullestServerMuchLessThanOneChoiceDoes) {
  constexpr int kServers = 10'000;
  const std::vector<ServerSpec> servers(kServers);
  const RandomPicker one_choice;
  const PowerOfTwoPicker two_choices;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    LeaseCounts by_one(kServers);
    LeaseCounts by_two(kServers);
    const auto fullest_of_one = Choices(one_choice, servers, seed).fullest_after(kServers, by_one);
    const auto fullest_of_two = Choices(two_choices, servers, seed).fullest_after(kServers, by_two);
    EXPECT_GE(fullest_of_one, 6U);
    EXPECT_LE(fullest_of_two, 4U);
  }
}

TEST(PowerOfTwo, KeepsTheExcessSmallHoweverMuchIsInFlight) {
  constexpr int kServers = 100;
  constexpr int kEach = 1000;
  const std::vector<ServerSpec> servers(kServers);
  const RandomPicker one_choice;
  const PowerOfTwoPicker two_choices;
  LeaseCounts by_one(kServers);
  LeaseCounts by_two(kServers);
  EXPECT_GE(Choices(one_choice, servers, 1).fullest_after(kServers * kEach, by_one), kEach + 50U);
  EXPECT_LE(Choices(two_choices, servers, 1).fullest_after(kServers * kEach, by_two), kEach + 5U);
}

// Azar et al. 1999: with n leases on n servers the fullest of d choices has about
// log log n / log d, plus a constant; with m more for each server that excess stays.
TEST(PowerOfTwo, GrowsTheExcessLikeTheLogarithmOfTheLogarithm) {
  const RandomPicker one_choice;
  const PowerOfTwoPicker two_choices;
  for (const int servers : {100, 1000, 10'000}) {
    const std::vector<ServerSpec> specs(servers);
    const double bound = std::log2(std::log2(servers)) + 2;
    for (const int each : {1, 10}) {
      for (std::uint64_t seed = 0; seed < 5; ++seed) {
        LeaseCounts by_one(servers);
        LeaseCounts by_two(servers);
        const auto of_one = Choices(one_choice, specs, seed).fullest_after(servers * each, by_one);
        const auto of_two = Choices(two_choices, specs, seed).fullest_after(servers * each, by_two);
        EXPECT_LT(of_two, of_one);
        EXPECT_LE(of_two - each, bound) << servers << " servers, " << each << " for each";
      }
    }
  }
}

TEST(PowerOfTwo, FillsTheFullestServerLessWithMoreChoices) {
  constexpr int kServers = 1000;
  const std::vector<ServerSpec> servers(kServers);
  const PowerOfTwoPicker two;
  const PowerOfTwoPicker eight({.choices = 8});
  LeaseCounts by_two(kServers);
  LeaseCounts by_eight(kServers);
  EXPECT_EQ(Choices(two, servers, 1).fullest_after(10 * kServers, by_two), 12U);
  EXPECT_EQ(Choices(eight, servers, 1).fullest_after(10 * kServers, by_eight), 11U);
}

TEST(PowerOfTwo, ComparesAsManyDifferentServersAsItIsTold) {
  const LeaseCounts leases{3, 5, 1, 9};
  const PowerOfTwoPicker picker({.choices = 4});
  Choices choices(picker, {{}, {.weight = 50}, {}, {}}, 1);
  for (int i = 0; i < 100; ++i) {
    PickRecorder recorder(4);
    const ServerIndex picked = choices.pick({.leases = leases.counters(), .recorder = &recorder});
    ASSERT_EQ(picked, to_server(1));  // 0.1 for its weight
    ASSERT_EQ(recorder.considered().size(), 4U);
  }
}

TEST(PowerOfTwo, RecordsBothServersWithTheirLeasesForTheirWeights) {
  const LeaseCounts leases{5, 3};
  const PowerOfTwoPicker picker;
  Choices choices(picker, {{.weight = 2}, {.weight = 1}}, 1);
  PickRecorder recorder(2);
  ASSERT_EQ(choices.pick({.leases = leases.counters(), .recorder = &recorder}), to_server(0));
  ASSERT_EQ(recorder.considered().size(), 2u);
  for (const ConsideredServer& considered : recorder.considered()) {
    const bool is_first = considered.server == to_server(0);
    EXPECT_EQ(considered.verdict, is_first ? PickVerdict::chosen : PickVerdict::behind);
    EXPECT_EQ(considered.score, is_first ? 2.5 : 3);
  }
}

}  // namespace
}  // namespace weir::balance
