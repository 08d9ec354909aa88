#include "balance/forecast.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numbers>

#include "base/random.h"

namespace weir::balance {
namespace {

constexpr int kDay = 288;  // steps of five minutes
constexpr ForecastOptions kDaily{.level = 0.02, .trend = 0, .season_steps = kDay};

// A wave with its low at midnight, and from 18:00 to 20:00 three times as much.
double rate_at(int step) {
  const int of_day = step % kDay;
  const double wave = 1000 - (400 * std::cos(2 * std::numbers::pi * of_day / kDay));
  const bool is_spike = of_day >= 216 && of_day < 240;
  return is_spike ? 3 * wave : wave;
}

TEST(Forecast, KnowsTheLastRateUntilItIsReady) {
  Forecast forecast({});
  EXPECT_EQ(forecast.ahead(5), 0);
  forecast.add(70);
  EXPECT_FALSE(forecast.is_ready());
  EXPECT_EQ(forecast.ahead(5), 70);
}

TEST(Forecast, StaysAtASteadyRate) {
  Forecast forecast({});
  for (int i = 0; i < 100; ++i) forecast.add(250);
  EXPECT_NEAR(forecast.ahead(1), 250, 1e-9);
  EXPECT_NEAR(forecast.ahead(50), 250, 1e-9);
}

TEST(Forecast, GoesOnWithARamp) {
  Forecast forecast({});
  for (int i = 0; i < 50; ++i) forecast.add(100 + (7 * i));
  EXPECT_NEAR(forecast.ahead(1), 100 + (7 * 50), 1e-6);
  EXPECT_NEAR(forecast.ahead(20), 100 + (7 * 69), 1e-6);
}

TEST(Forecast, NeverFallsBelowNothing) {
  Forecast forecast({});
  for (int i = 0; i < 10; ++i) forecast.add(100 - (10 * i));
  EXPECT_EQ(forecast.ahead(20), 0);
}

TEST(Forecast, FollowsAChangeOfTheRamp) {
  Forecast forecast({});
  for (int i = 0; i < 200; ++i) forecast.add(100);
  for (int i = 0; i < 300; ++i) forecast.add(100 + (5 * i));
  EXPECT_NEAR(forecast.ahead(10), 100 + (5 * 309), 10);
}

TEST(Forecast, RepeatsASeason) {
  Forecast forecast(kDaily);
  for (int step = 0; step < 2 * kDay; ++step) forecast.add(rate_at(step));
  for (int ahead = 1; ahead <= kDay; ++ahead) {
    EXPECT_NEAR(forecast.ahead(ahead), rate_at(2 * kDay + ahead - 1), 1) << ahead;
  }
}

// Half an hour ahead, through a third day with a tenth of noise in all of them.
TEST(Forecast, SeesTheOnsetOfADailySpikeAfterTwoDays) {
  constexpr int kAhead = 6;
  constexpr double kSpike = 2200;  // between what the wave and the spike reach at that hour
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    Forecast forecast(kDaily);
    const auto noisy = [&](int step) {
      return rate_at(step) * (0.9 + (random.below(201) / 1000.0));
    };
    for (int step = 0; step < 2 * kDay; ++step) forecast.add(noisy(step));
    int onset = 0;
    for (int step = 2 * kDay; step < 3 * kDay && onset == 0; ++step) {
      forecast.add(noisy(step));
      if (forecast.ahead(kAhead) > kSpike) onset = step + kAhead;
    }
    EXPECT_EQ(onset % kDay, 216) << "seed " << seed;
  }
}

TEST(Forecast, BearsNoiseWithinItsSize) {
  Random random(1);
  Forecast forecast(kDaily);
  for (int step = 0; step < 6 * kDay; ++step) {
    forecast.add(rate_at(step) * (0.9 + (random.below(201) / 1000.0)));
  }
  double error = 0;
  for (int ahead = 1; ahead <= kDay; ++ahead) {
    const double expected = rate_at(6 * kDay + ahead - 1);
    error += std::abs(forecast.ahead(ahead) - expected) / expected / kDay;
  }
  EXPECT_LT(error, 0.05);
}

TEST(Forecast, LearnsANewSeasonWithinAWeek) {
  Forecast forecast(kDaily);
  for (int step = 0; step < 3 * kDay; ++step) forecast.add(rate_at(step));
  constexpr int kShift = 36;  // three hours later from now on
  for (int step = 3 * kDay; step < 10 * kDay; ++step) forecast.add(rate_at(step - kShift));
  double worst = 0;
  for (int ahead = 1; ahead <= kDay; ++ahead) {
    const double expected = rate_at(10 * kDay + ahead - 1 - kShift);
    worst = std::max(worst, std::abs(forecast.ahead(ahead) - expected) / expected);
  }
  EXPECT_LT(worst, 0.4);
}

}  // namespace
}  // namespace weir::balance
