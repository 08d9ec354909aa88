#include "runtime/sleep.h"

#include <gtest/gtest.h>
#include <optional>

#include "runtime/reactor_test_support.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

Task<> note_sleep(Worker& worker, Scope& scope, Duration duration, std::optional<Slept>& slept) {
  slept = co_await Sleep(worker, scope, duration);
}

class SleepTest : public testing::Test {
 protected:
  void spawn(Duration duration) {
    scope_.spawn(&note_sleep, std::ref(*worker_), std::ref(scope_), duration, std::ref(slept_));
  }
  std::unique_ptr<Worker> worker_ = Worker::make(reactor_under_test(), 0, 1 << 20, 42).value();
  Scope scope_;
  std::optional<Slept> slept_;
};

TEST_F(SleepTest, EndsWhenItsTimeHasCome) {
  const TimePoint until = worker_->now() + 5ms;
  spawn(5ms);
  EXPECT_FALSE(slept_);
  while (scope_.running() != 0) worker_->turn();
  EXPECT_EQ(slept_, Slept::whole);
  EXPECT_GE(worker_->now(), until);
}

TEST_F(SleepTest, EndsAtOnceWhenItsScopeStops) {
  spawn(1h);
  scope_.request_stop();
  EXPECT_EQ(slept_, Slept::stopped);
  EXPECT_EQ(scope_.running(), 0u);
}

TEST_F(SleepTest, DoesNotBeginInAScopeThatStops) {
  scope_.request_stop();
  spawn(1h);
  EXPECT_EQ(slept_, Slept::stopped);
}

TEST_F(SleepTest, AStopAfterItsTimeMeansNothingToIt) {
  spawn(1ms);
  while (scope_.running() != 0) worker_->turn();
  scope_.request_stop();
  EXPECT_EQ(slept_, Slept::whole);
}

}  // namespace
}  // namespace weir
