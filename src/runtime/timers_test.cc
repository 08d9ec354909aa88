#include "runtime/timers.h"

#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "base/random.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{Duration(123'456'789'000)};

struct Alarm {
  Timer timer{&Alarm::on_fire};
  int fired = 0;
  TimePoint due{};
  TimePoint at{};
  static inline TimePoint now;
  static void on_fire(Timer& timer) noexcept {
    auto& alarm = reinterpret_cast<Alarm&>(timer);
    ++alarm.fired;
    alarm.at = now;
  }
};

TEST(Timers, FireAtTheirDeadlineAndNotBefore) {
  Timers timers(kStart);
  Alarm alarm;
  alarm.timer.arm(timers, kStart + 5ms);
  timers.expire(kStart + 4ms);
  EXPECT_EQ(alarm.fired, 0);
  EXPECT_LE(timers.next(), kStart + 6ms);
  timers.expire(kStart + 6ms);
  EXPECT_EQ(alarm.fired, 1);
  EXPECT_EQ(timers.next(), kNever);
}

TEST(Timers, ADeadlineMovedLaterFiresLater) {
  Timers timers(kStart);
  Alarm alarm;
  alarm.timer.arm(timers, kStart + 5ms);
  alarm.timer.arm(timers, kStart + 500ms);
  timers.expire(kStart + 499ms);
  EXPECT_EQ(alarm.fired, 0);
  timers.expire(kStart + 501ms);
  EXPECT_EQ(alarm.fired, 1);
}

TEST(Timers, ADeadlineMovedEarlierFiresEarlier) {
  Timers timers(kStart);
  Alarm alarm;
  alarm.timer.arm(timers, kStart + 1h);
  alarm.timer.arm(timers, kStart + 5ms);
  timers.expire(kStart + 6ms);
  EXPECT_EQ(alarm.fired, 1);
}

TEST(Timers, ADisarmedTimerNeverFires) {
  Timers timers(kStart);
  Alarm alarm;
  alarm.timer.arm(timers, kStart + 5ms);
  alarm.timer.disarm();
  timers.expire(kStart + 1h);
  EXPECT_EQ(alarm.fired, 0);
}

TEST(Timers, DeadlinesBeyondTheWheelFire) {
  Timers timers(kStart);
  Alarm alarm;
  alarm.timer.arm(timers, kStart + 100h);
  timers.expire(kStart + 99h);
  EXPECT_EQ(alarm.fired, 0);
  timers.expire(kStart + 100h + 1ms);
  EXPECT_EQ(alarm.fired, 1);
}

// Any mixture of arming, moving, disarming and steps of time: each timer fires once, at the first
// step at or after its last deadline.
TEST(Timers, FireOnceAtTheFirstStepAfterTheirLastDeadline) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Timers timers(kStart);
    std::vector<std::unique_ptr<Alarm>> alarms;
    for (int i = 0; i < 100; ++i) alarms.push_back(std::make_unique<Alarm>());
    TimePoint now = kStart;
    for (int step = 0; step < 300; ++step) {
      for (int i = 0; i < 10; ++i) {
        Alarm& alarm = *alarms[random.below(100)];
        if (random.below(8) == 0) {
          alarm.timer.disarm();
          alarm.due = kNever;
        } else {
          const auto magnitude = Duration(std::int64_t{1} << random.below(42));
          alarm.due = now + magnitude + Duration(random.below(1'000'000));
          alarm.timer.arm(timers, alarm.due);
        }
        alarm.fired = 0;
      }
      now += Duration(std::int64_t{1} << random.below(38));
      Alarm::now = now;
      timers.expire(now);
      for (auto& alarm : alarms) {
        if (!alarm->timer.is_armed() && alarm->due != kNever && alarm->due != TimePoint{}) {
          EXPECT_EQ(alarm->fired, 1) << "seed " << seed;
          EXPECT_GE(alarm->at, alarm->due);
          alarm->due = kNever;
        } else if (alarm->timer.is_armed()) {
          // The wheel counts whole ticks, so a deadline may lie up to one tick back.
          EXPECT_GT(alarm->due + 1ms, now) << "seed " << seed;
          EXPECT_LE(timers.next(), alarm->due + 1ms);
        }
      }
    }
  }
}

}  // namespace
}  // namespace weir
