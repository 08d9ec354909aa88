#include "backend/retry_plan.h"

#include <gtest/gtest.h>
#include <set>

#include "net/net_test_support.h"

namespace weir::backend {
namespace {

using namespace std::chrono_literals;

class RetryPlanTest : public testing::Test {
 protected:
  void make(std::size_t servers, std::string_view balance = "round_robin") {
    BackendSettings settings;
    settings.name.value = "b";
    for (const auto& [name, known] : names_of(Balance{})) {
      if (name == balance) settings.balance = known;
    }
    settings.servers.resize(servers);
    for (std::size_t i = 0; i < servers; ++i) settings.servers[i].name.value = std::to_string(i);
    backend_ = make_local<WorkerBackend>(*worker_, std::make_shared<Backend>(settings, registry_),
                                         1, connections_);
  }
  // The number of the next server, -1 for none.
  int pick(RetryPlan& plan, TimePoint now = {}) {
    const ServerLease lease = plan.pick(*backend_, now).lease;
    return lease ? static_cast<int>(balance::to_number(lease.index())) : -1;
  }

  stats::Registry registry_{1};
  net::test::TestWorker worker_;
  RetrySettings settings_;
  Slab<ServerConnection> connections_;
  LocalRef<WorkerBackend> backend_;
};

TEST_F(RetryPlanTest, EndsWithItsAttempts) {
  make(5);
  for (std::uint32_t attempts = 1; attempts <= kAttemptsMax; ++attempts) {
    settings_.attempts = attempts;
    RetryPlan plan(settings_, {});
    for (std::uint32_t i = 0; i < attempts; ++i) {
      EXPECT_TRUE(plan.allows_attempt_at({}));
      EXPECT_NE(pick(plan), -1);
    }
    EXPECT_FALSE(plan.allows_attempt_at({}));
    EXPECT_EQ(pick(plan), -1);
  }
}

TEST_F(RetryPlanTest, EndsAtItsDeadline) {
  make(2);
  settings_.deadline = 10ms;
  const TimePoint began = TimePoint{} + 1s;
  RetryPlan plan(settings_, began);
  EXPECT_EQ(plan.due_of_attempt_at(began), began + 10ms);
  EXPECT_NE(pick(plan, began + 9ms), -1);
  EXPECT_EQ(pick(plan, began + 10ms), -1);
}

TEST_F(RetryPlanTest, AnAttemptEndsAtItsOwnTimeoutOrTheDeadline) {
  settings_.deadline = 10s;
  settings_.per_try_timeout = 4s;
  const RetryPlan plan(settings_, {});
  EXPECT_EQ(plan.due_of_attempt_at(TimePoint{} + 1s), TimePoint{} + 5s);
  EXPECT_EQ(plan.due_of_attempt_at(TimePoint{} + 9s), TimePoint{} + 10s);
}

// With every picker and number of servers, and whatever is forgotten on the way.
TEST_F(RetryPlanTest, NoServerTwiceWhileAnotherIsThere) {
  for (const balance::PickerEntry& entry : balance::kPickers) {
    for (std::size_t servers = 1; servers <= 5; ++servers) {
      make(servers, entry.name);
      settings_.attempts = kAttemptsMax;
      RetryPlan plan(settings_, {});
      std::vector<int> picked;
      for (int next = pick(plan); next != -1; next = pick(plan)) picked.push_back(next);
      ASSERT_EQ(picked.size(), kAttemptsMax);
      for (std::size_t i = 1; i < picked.size() && servers > 1; ++i) {
        EXPECT_NE(picked[i], picked[i - 1]) << entry.name;
      }
      const std::set<int> first_round(picked.begin(), picked.begin() + servers);
      EXPECT_EQ(first_round.size(), servers) << entry.name;
    }
  }
}

TEST_F(RetryPlanTest, AForgottenServerMayBePickedAgain) {
  make(2);
  RetryPlan plan(settings_, {});
  EXPECT_EQ(pick(plan), 0);
  EXPECT_EQ(pick(plan), 1);
  plan.forget_last();
  EXPECT_EQ(pick(plan), 1);
}

TEST_F(RetryPlanTest, WithoutAServerThereIsNoAttempt) {
  make(1);
  RetryPlan plan(settings_, {});
  BackendSettings settings;
  settings.name.value = "none";
  settings.servers.resize(1);
  settings.servers[0].weight = 0;
  backend_ = make_local<WorkerBackend>(*worker_, std::make_shared<Backend>(settings, registry_), 1,
                                       connections_);
  EXPECT_EQ(pick(plan), -1);
  EXPECT_TRUE(plan.allows_attempt_at({}));
}

// Over many draws: never above the bound, and it is used from end to end.
TEST_F(RetryPlanTest, BacksOffByARandomPartOfADoublingBound) {
  settings_.backoff = 1s;
  settings_.backoff_max = 5s;
  Random random(7);
  std::array<Duration, 5> largest{};
  std::array<Duration, 5> smallest;
  smallest.fill(1h);
  for (int i = 0; i < 1000; ++i) {
    RetryPlan plan(settings_, {});
    for (std::size_t wait = 0; wait < largest.size(); ++wait) {
      const Duration drawn = plan.next_backoff(random);
      largest[wait] = std::max(largest[wait], drawn);
      smallest[wait] = std::min(smallest[wait], drawn);
    }
  }
  const std::array<Duration, 5> bounds = {1s, 2s, 4s, 5s, 5s};
  for (std::size_t wait = 0; wait < bounds.size(); ++wait) {
    EXPECT_LE(largest[wait], bounds[wait]);
    EXPECT_GE(largest[wait], bounds[wait] * 9 / 10);
    EXPECT_LE(smallest[wait], bounds[wait] / 10);
  }
}

TEST_F(RetryPlanTest, TheBoundNeverExceedsItsMaximum) {
  settings_.backoff = 1h;
  settings_.backoff_max = 1ms;
  Random random(7);
  RetryPlan plan(settings_, {});
  for (int i = 0; i < 100; ++i) EXPECT_LE(plan.next_backoff(random), 1ms);
}

TEST_F(RetryPlanTest, WithoutABackoffNothingIsWaitedFor) {
  settings_.backoff = 0s;
  Random random(7);
  RetryPlan plan(settings_, {});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(plan.next_backoff(random), 0s);
}

}  // namespace
}  // namespace weir::backend
