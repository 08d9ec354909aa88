#include "balance/score_forecast.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace weir::balance {
namespace {

using namespace std::chrono_literals;

class ScoreForecastTest : public testing::Test {
 protected:
  // One look a second, at a score for each.
  template <class ScoreAt>
  void look(ScoreForecast& forecast, int seconds, ScoreAt score_at) {
    for (int i = 0; i < seconds; ++i) {
      expected_ = forecast.expect(score_at(second_), TimePoint{} + 1h + second_ * 1s);
      ++second_;
    }
  }

  int second_ = 0;
  float expected_ = 0;
};

TEST_F(ScoreForecastTest, ASteadyScoreIsItself) {
  ScoreForecast forecast({});
  look(forecast, 600, [](int) { return 40.0F; });
  EXPECT_FLOAT_EQ(expected_, 40);
}

TEST_F(ScoreForecastTest, AScoreIsAsMeasuredUntilThereIsAPast) {
  ScoreForecast forecast({});
  look(forecast, 15, [](int second) { return static_cast<float>(second); });
  EXPECT_FLOAT_EQ(expected_, 14);
}

TEST_F(ScoreForecastTest, ARisingScoreIsWhatItWillBe) {
  ScoreForecast forecast({.ahead = 30s});
  look(forecast, 300, [](int second) { return 0.5F * static_cast<float>(second); });
  EXPECT_NEAR(expected_, 0.5 * (299 + 30), 0.01);
}

TEST_F(ScoreForecastTest, AFallingScoreIsNeverBelowNothing) {
  ScoreForecast forecast({.ahead = 60s});
  look(forecast, 100, [](int second) { return static_cast<float>(100 - second); });
  EXPECT_EQ(expected_, 0);
}

TEST_F(ScoreForecastTest, AChangeIsSeenAtOnce) {
  ScoreForecast forecast({});
  look(forecast, 600, [](int) { return 10.0F; });
  look(forecast, 1, [](int) { return 90.0F; });
  EXPECT_FLOAT_EQ(expected_, 90);
}

TEST_F(ScoreForecastTest, ASeasonsSpikeIsExpectedBeforeItComes) {
  const auto score_at = [](int second) { return second % 1200 < 900 ? 20.0F : 80.0F; };
  ScoreForecast forecast({.ahead = 60s, .step = 20s, .season = 1200s});
  look(forecast, 3 * 1200, score_at);
  look(forecast, 800, score_at);
  EXPECT_NEAR(expected_, 20, 2);
  look(forecast, 60, score_at);  // 40 s before
  EXPECT_NEAR(expected_, 80, 4);
}

TEST_F(ScoreForecastTest, ASeasonOfWhichALongPartWasNotSeenIsStillOne) {
  ScoreForecast forecast({.ahead = 10s, .step = 1s, .season = 100s});
  look(forecast, 250, [](int second) { return static_cast<float>(second % 100); });
  second_ += 1'000'000;
  look(forecast, 10, [](int) { return 5.0F; });
  EXPECT_TRUE(std::isfinite(expected_));
}

TEST_F(ScoreForecastTest, WhatIsNotFiniteStaysSoAndTeachesNothing) {
  ScoreForecast forecast({});
  look(forecast, 100, [](int) { return 10.0F; });
  look(forecast, 1, [](int) { return std::numeric_limits<float>::quiet_NaN(); });
  EXPECT_TRUE(std::isnan(expected_));
  look(forecast, 1, [](int) { return std::numeric_limits<float>::infinity(); });
  EXPECT_TRUE(std::isinf(expected_));
  look(forecast, 30, [](int) { return 10.0F; });
  EXPECT_FLOAT_EQ(expected_, 10);
}

}  // namespace
}  // namespace weir::balance
