#include "net/pause.h"

#include <gtest/gtest.h>
#include <optional>

#include "net/net_test_support.h"

namespace weir::net {
namespace {

using test::TestWorker;
using namespace std::chrono_literals;

class PauseTest : public testing::Test {
 protected:
  void spawn(Duration duration) {
    scope_.spawn([this, duration]() -> Task<> {
      paused_ = co_await Pause(*worker_, slot_, worker_->now() + duration);
    });
  }
  [[nodiscard]] bool is_over() {
    return worker_.turn_until([&] { return scope_.running() == 0; });
  }

  TestWorker worker_;
  CancelSlot slot_;
  Scope scope_;
  std::optional<Result<void>> paused_;
};

TEST_F(PauseTest, EndsWhenItsTimeHasCome) {
  const TimePoint until = worker_->now() + 5ms;
  spawn(5ms);
  EXPECT_FALSE(paused_);
  ASSERT_TRUE(is_over());
  EXPECT_TRUE(*paused_);
  EXPECT_GE(worker_->now(), until);
  // It has left the slot.
  slot_.cancel(make_error(ErrorKind::client_reset, Side::client));
}

TEST_F(PauseTest, EndsInALaterTurnWhenItsSlotIsCancelled) {
  const Error reason = make_error(ErrorKind::client_reset, Side::client);
  spawn(1h);
  worker_.turn_a_little();
  slot_.cancel(reason);
  EXPECT_FALSE(paused_);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(paused_->error(), reason);
}

TEST_F(PauseTest, DoesNotBeginInASlotThatIsCancelled) {
  const Error reason = make_error(ErrorKind::shutting_down, Side::weir);
  slot_.cancel(reason);
  spawn(1h);
  ASSERT_TRUE(paused_);
  EXPECT_EQ(paused_->error(), reason);
}

}  // namespace
}  // namespace weir::net
