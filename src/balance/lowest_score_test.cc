#include "balance/lowest_score.h"

#include <gtest/gtest.h>
#include <limits>

#include "balance/balance_test_support.h"
#include "base/random.h"

namespace weir::balance {
namespace {

using test::LeaseCounts;

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinite = std::numeric_limits<float>::infinity();

class ScoredServers {
 public:
  ScoredServers(ScoreChoice choose, std::vector<ServerSpec> servers, std::vector<float> scores)
      : picker_(choose),
        table_(picker_.build(servers, ServerSet::all(servers.size()))),
        state_(picker_.start(*table_, WorkerIndex{0}, 1)),
        scores_(scores.begin(), scores.end()) {}

  ServerIndex pick(PickInput input = {}) {
    input.scores = scores_;
    input.random = random_.next();
    return picker_.pick(*table_, *state_, input);
  }
  std::vector<double> shares(int picks) {
    std::vector<double> shares(scores_.size());
    for (int i = 0; i < picks; ++i) shares[to_number(pick())] += 1.0 / picks;
    return shares;
  }

 private:
  LowestScorePicker picker_;
  std::unique_ptr<const Table> table_;
  std::unique_ptr<State> state_;
  std::vector<std::atomic<float>> scores_;
  Random random_{1};
};

ScoredServers lowest(std::vector<float> scores, std::vector<ServerSpec> servers = {}) {
  servers.resize(scores.size());
  return {ScoreChoice::lowest, std::move(servers), std::move(scores)};
}
ScoredServers weighted(std::vector<float> scores, std::vector<ServerSpec> servers = {}) {
  servers.resize(scores.size());
  return {ScoreChoice::weighted, std::move(servers), std::move(scores)};
}

TEST(LowestScore, TakesTheLowestScore) {
  EXPECT_EQ(lowest({30, 12.5, 80}).pick(), to_server(1));
  EXPECT_EQ(lowest({42.2F, 42.1F, 42.3F}).pick(), to_server(1));
}

TEST(LowestScore, TakesTheLessLoadedAndThenTheFirstOfEquals) {
  const LeaseCounts leases{6, 6, 2, 4};
  ScoredServers servers = lowest({5, 5, 9, 5}, {{.weight = 1}, {.weight = 3}, {}, {.weight = 2}});
  EXPECT_EQ(servers.pick({.leases = leases.counters()}), to_server(1));
  EXPECT_EQ(servers.pick(), to_server(0));
}

TEST(LowestScore, TakesTheUnknownForTheMeanOfTheKnown) {
  EXPECT_EQ(lowest({10, kUnknown, 30}).pick(), to_server(0));
  ScoredServers servers = lowest({10, kUnknown, 30});
  const ServerIndex tried[] = {to_server(0)};
  EXPECT_EQ(servers.pick({.tried = tried}), to_server(1));  // both are 30 now: the first
  PickRecorder recorder(3);
  servers.pick({.recorder = &recorder});
  EXPECT_EQ(recorder.considered()[1].score, 20);
}

TEST(LowestScore, GoesByLeasesWhileNothingIsKnown) {
  const LeaseCounts leases{6, 3, 4};
  EXPECT_EQ(lowest({kUnknown, kUnknown, kUnknown}).pick({.leases = leases.counters()}),
            to_server(1));
}

TEST(LowestScore, UsesAnInfiniteScoreOnlyForWantOfOthers) {
  const ServerIndex tried[] = {to_server(1)};
  for (const auto& make : {lowest, weighted}) {
    ScoredServers servers = make({kInfinite, 50}, {});
    for (int i = 0; i < 100; ++i) ASSERT_EQ(servers.pick(), to_server(1));
    EXPECT_EQ(servers.pick({.tried = tried}), to_server(0));
  }
}

TEST(LowestScore, DrawsInProportionToTheDistanceFromTheWorst) {
  // Worst 30, range 20: 22, 12 and 2.
  const auto shares = weighted({10, 20, 30}).shares(100'000);
  EXPECT_NEAR(shares[0], 22.0 / 36, 0.01);
  EXPECT_NEAR(shares[1], 12.0 / 36, 0.01);
  EXPECT_NEAR(shares[2], 2.0 / 36, 0.01);
}

TEST(LowestScore, DrawsInProportionToTheWeightsAsWell) {
  const auto shares = weighted({10, 30}, {{.weight = 1}, {.weight = 11}}).shares(100'000);
  EXPECT_NEAR(shares[0], 0.5, 0.01);
  const auto equal =
      weighted({7, 7, kUnknown}, {{.weight = 5}, {.weight = 3}, {.weight = 2}}).shares(100'000);
  EXPECT_NEAR(equal[0], 0.5, 0.01);
  EXPECT_NEAR(equal[1], 0.3, 0.01);
}

TEST(LowestScore, ComparesSixteenOfMoreThan256Servers) {
  std::vector<float> scores(1000);
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = static_cast<float>(i);
  ScoredServers servers = lowest(std::move(scores));
  double sum = 0;
  for (int i = 0; i < 1000; ++i) sum += static_cast<double>(to_number(servers.pick()));
  EXPECT_NEAR(sum / 1000, 1000.0 / 17, 8);  // the mean of the least of 16
}

}  // namespace
}  // namespace weir::balance
