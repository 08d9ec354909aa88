#include "balance/weight_tuner.h"

#include <gtest/gtest.h>
#include <numeric>

#include "base/random.h"

namespace weir::balance {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadings = 4;

class Tuning {
 public:
  explicit Tuning(std::vector<double> configured) : tuner_(std::move(configured)) {}

  // Random readings of ten servers every two seconds; the response time hangs on one of them, and
  // on chance.
  void watch(int rounds, std::size_t cause, double slope) {
    for (int round = 0; round < rounds; ++round) {
      tuner_.fade(now_ += 2s);
      for (int server = 0; server < 10; ++server) {
        std::optional<double> readings[kReadings];
        for (auto& reading : readings) reading = random();
        tuner_.learn(readings, 20 + (slope * *readings[cause]) + (30 * random()));
      }
    }
  }
  std::vector<double> weights() const { return tuner_.weights(); }

 private:
  double random() { return random_.below(1001) / 1000.0; }

  WeightTuner tuner_;
  Random random_{1};
  TimePoint now_ = {};
};

double sum_of(const std::vector<double>& weights) {
  return std::accumulate(weights.begin(), weights.end(), 0.0);
}

TEST(WeightTuner, KeepsTheConfiguredWeightsWhileItKnowsNothing) {
  const std::vector<double> configured = {0.4, 0.3, 0.2, 0.1};
  EXPECT_EQ(Tuning(configured).weights(), configured);
}

TEST(WeightTuner, RaisesWhatCausesTheResponseTimeAboveTheOthers) {
  for (std::size_t cause = 0; cause < kReadings; ++cause) {
    Tuning tuning({0.4, 0.3, 0.2, 0.1});
    tuning.watch(300, cause, 100);
    const auto weights = tuning.weights();
    for (std::size_t other = 0; other < kReadings; ++other) {
      if (other != cause) EXPECT_GT(weights[cause], weights[other]);
    }
    EXPECT_GT(weights[cause], 0.6);
    EXPECT_NEAR(sum_of(weights), 1, 1e-9);
  }
}

TEST(WeightTuner, FollowsSlowly) {
  Tuning tuning({0.25, 0.25, 0.25, 0.25});
  tuning.watch(1, 2, 100);
  EXPECT_LT(tuning.weights()[2], 0.35);
  tuning.watch(300, 2, 100);
  EXPECT_GT(tuning.weights()[2], 0.6);
  tuning.watch(15, 1, 100);  // half a minute
  EXPECT_GT(tuning.weights()[2], tuning.weights()[1]);
  tuning.watch(600, 1, 100);  // twenty minutes
  EXPECT_GT(tuning.weights()[1], 0.6);
}

TEST(WeightTuner, MovesLittleForWhatExplainsLittle) {
  Tuning tuning({0.4, 0.3, 0.2, 0.1});
  tuning.watch(300, 0, 0);
  const auto weights = tuning.weights();
  EXPECT_NEAR(weights[0], 0.4, 0.02);
  EXPECT_NEAR(weights[3], 0.1, 0.02);
}

TEST(WeightTuner, DoesNotBlameWhatIsHighWhereResponsesAreQuick) {
  Tuning tuning({0.4, 0.3, 0.2, 0.1});
  tuning.watch(300, 3, -20);
  EXPECT_LE(tuning.weights()[3], 0.1);
}

TEST(WeightTuner, LeavesOutWhatIsConfiguredSo) {
  Tuning tuning({0.5, 0, 0.5, 0});
  tuning.watch(300, 1, 100);
  EXPECT_EQ(tuning.weights()[1], 0);
}

TEST(WeightTuner, PassesOverReadingsThatAreNotKnown) {
  WeightTuner tuner({0.5, 0.5});
  for (int i = 0; i < 100; ++i) {
    const std::optional<double> readings[] = {i % 10 / 10.0, std::nullopt};
    tuner.learn(readings, 10 * (i % 10));
  }
  EXPECT_GT(tuner.weights()[0], 0.6);
}

}  // namespace
}  // namespace weir::balance
