#include "health/slow_start.h"

#include <gtest/gtest.h>

namespace weir::health {
namespace {

using namespace std::chrono_literals;

TEST(SlowStart, GrowsInProportionToTheTime) {
  const SlowStartSettings settings{.time = 20s, .ramp = Ramp::linear};
  EXPECT_DOUBLE_EQ(share_after(settings, 0s), 0.01);
  EXPECT_DOUBLE_EQ(share_after(settings, 100ms), 0.01);
  EXPECT_DOUBLE_EQ(share_after(settings, 5s), 0.25);
  EXPECT_DOUBLE_EQ(share_after(settings, 19s), 0.95);
  EXPECT_DOUBLE_EQ(share_after(settings, 20s), 1);
  EXPECT_DOUBLE_EQ(share_after(settings, 1h), 1);
}

TEST(SlowStart, GoesInThreeSteps) {
  const SlowStartSettings settings{.time = 30s, .ramp = Ramp::steps};
  EXPECT_DOUBLE_EQ(share_after(settings, 0s), 0.1);
  EXPECT_DOUBLE_EQ(share_after(settings, 9s), 0.1);
  EXPECT_DOUBLE_EQ(share_after(settings, 10s), 0.5);
  EXPECT_DOUBLE_EQ(share_after(settings, 19s), 0.5);
  EXPECT_DOUBLE_EQ(share_after(settings, 20s), 1);
}

}  // namespace
}  // namespace weir::health
