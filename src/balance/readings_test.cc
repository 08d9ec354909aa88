#include "balance/readings.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "balance/pickers.h"
#include "base/random.h"

namespace weir::balance {
namespace {

using namespace std::chrono_literals;

constexpr float kInfinite = std::numeric_limits<float>::infinity();

std::vector<float> scores_of(Scorer& scorer, const std::vector<ServerReadings>& servers,
                             TimePoint now = {}) {
  std::vector<float> scores(servers.size());
  scorer.score(servers, now, scores);
  return scores;
}

std::unique_ptr<Scorer> make_for(const LeastBandwidthSettings& settings) {
  BalanceSettings balance;
  balance.least_bandwidth = settings;
  return make_scorer(balance);
}
std::unique_ptr<Scorer> make_for(const ResourceSettings& settings) {
  BalanceSettings balance;
  balance.resource = settings;
  return make_scorer(balance);
}
std::unique_ptr<Scorer> make_for(const AdaptiveSettings& settings) {
  BalanceSettings balance;
  balance.adaptive = settings;
  return make_scorer(balance);
}
std::unique_ptr<Scorer> make_for(const UtilizationSettings& settings) {
  BalanceSettings balance;
  balance.utilization = settings;
  return make_scorer(balance);
}
std::unique_ptr<Scorer> make_for(const LeastTimeSettings& settings) {
  BalanceSettings balance;
  balance.least_time = settings;
  return make_scorer(balance);
}

TEST(Readings, AreOfNoUseToOtherAlgorithms) {
  EXPECT_EQ(make_scorer({}), nullptr);
  for (const char* name :
       {"round_robin", "first", "least_connections", "least_time", "peak_ewma"}) {
    EXPECT_EQ(make_scorer(default_settings(name)), nullptr);
  }
}

TEST(Readings, ScoreBandwidthByMegabits) {
  EXPECT_EQ(scores_of(*make_for(LeastBandwidthSettings{}), {{.mbps = 120}, {}, {.mbps = 80.5}}),
            (std::vector<float>{120, 0, 80.5}));
}

TEST(Readings, ScoreResourcesByTheirWeights) {
  const auto scores = scores_of(*make_for(ResourceSettings{}),
                                {{.cpu = 45.2, .memory = 60.1, .disk = 30.5, .connections = 120},
                                 {.cpu = 20.0, .memory = 80.0, .disk = 10.0, .connections = 10},
                                 {}});
  EXPECT_FLOAT_EQ(scores[0], 42.222F);
  EXPECT_FLOAT_EQ(scores[1], 34.001F);
  EXPECT_TRUE(std::isnan(scores[2]));
}

TEST(Readings, ScoreAResourceThatIsNotReportedLikeTheOthers) {
  const auto scores = scores_of(*make_for(ResourceSettings{}), {{.cpu = 50.0, .disk = 20.0}});
  EXPECT_FLOAT_EQ(scores[0], (0.4F * 50 + 0.2F * 20) * 0.9F / 0.6F);
}

TEST(Readings, ScoreAdaptivelyByTheMeanOfAllShares) {
  AdaptiveSettings settings{.connections = 2,
                            .response_time = 2,
                            .errors = 2,
                            .cpu = 1,
                            .memory = 1,
                            .disk = 1,
                            .queue = 1};
  const auto scores = scores_of(*make_for(settings), {{.cpu = 50.0,
                                                       .memory = 40.0,
                                                       .disk = 10.0,
                                                       .queue = 5.0,
                                                       .response_ms = 20.0,
                                                       .connections = 50,
                                                       .connections_max = 100,
                                                       .error_share = 0.1},
                                                      {.cpu = 90.0,
                                                       .memory = 80.0,
                                                       .disk = 50.0,
                                                       .queue = 10.0,
                                                       .response_ms = 80.0,
                                                       .connections = 30,
                                                       .error_share = 0}});
  EXPECT_FLOAT_EQ(scores[0], (2 * 0.5 + 2 * 0.25 + 2 * 0.1 + 0.5 + 0.4 + 0.1 + 0.5) / 10);
  EXPECT_FLOAT_EQ(scores[1], (2 * 0.6 + 2 * 1.0 + 0 + 0.9 + 0.8 + 0.5 + 1.0) / 10);
}

TEST(Readings, ScoreAdaptivelyByWhatIsKnown) {
  const auto scores = scores_of(*make_for(AdaptiveSettings{.connections = 0, .errors = 0}),
                                {{.cpu = 30.0}, {.cpu = 60.0, .response_ms = 10.0}, {}});
  EXPECT_FLOAT_EQ(scores[0], 0.3F);
  EXPECT_FLOAT_EQ(scores[1], (0.15 * 0.6 + 0.25) / 0.4);
  EXPECT_TRUE(std::isnan(scores[2]));
}

// The disk makes the time, the CPU is high elsewhere.
TEST(Readings, TuneTheAdaptiveWeightsToWhatSlowsTheServersDown) {
  Random random(1);
  const auto random_percent = [&] { return static_cast<double>(random.below(101)); };
  AdaptiveSettings settings{.response_time = 0, .self_tune = true};
  const auto tuned = make_for(settings);
  settings.self_tune = false;
  const auto as_configured = make_for(settings);
  const std::vector<ServerReadings> compared = {{.cpu = 80.0, .disk = 10.0, .response_ms = 50.0},
                                                {.cpu = 10.0, .disk = 80.0, .response_ms = 50.0}};
  for (int round = 0; round < 300; ++round) {
    std::vector<ServerReadings> servers(8);
    for (ServerReadings& server : servers) {
      server = {.cpu = random_percent(), .memory = random_percent(), .disk = random_percent()};
      server.response_ms = 10 + *server.disk + (random_percent() / 10);
    }
    scores_of(*tuned, servers, TimePoint(round * 2s));
  }
  const auto before = scores_of(*as_configured, compared);
  const auto after = scores_of(*tuned, compared, TimePoint(600s));
  EXPECT_GT(before[0], before[1]);
  EXPECT_LT(after[0], after[1]);
}

TEST(Readings, ScoreUtilizationByTheCapacityThatMayBeUsed) {
  const auto scores =
      scores_of(*make_for(UtilizationSettings{}), {{.utilization = 0.4},
                                                   {.utilization = 0.4, .capacity_scaler = 0.5},
                                                   {.cpu = 60.0},
                                                   {.utilization = 0.1, .capacity_scaler = 0},
                                                   {}});
  EXPECT_FLOAT_EQ(scores[0], 0.5F);
  EXPECT_FLOAT_EQ(scores[1], 1);
  EXPECT_FLOAT_EQ(scores[2], 0.75F);
  EXPECT_EQ(scores[3], kInfinite);
  EXPECT_TRUE(std::isnan(scores[4]));
}

TEST(Readings, ScoreTheSlownessOfTimesByCpuAndRoundTrip) {
  const auto scores =
      scores_of(*make_for(LeastTimeSettings{.cpu = 1, .round_trip = 0.5}),
                {{.cpu = 100.0, .round_trip_ms = 1.0}, {.cpu = 50.0, .round_trip_ms = 3.0}, {}});
  EXPECT_FLOAT_EQ(scores[0], 1.25F);
  EXPECT_FLOAT_EQ(scores[1], 1.25F);
  EXPECT_FLOAT_EQ(scores[2], 1.25F);  // as the others on average
}

}  // namespace
}  // namespace weir::balance
