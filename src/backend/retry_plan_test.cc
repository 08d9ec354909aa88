#include "backend/retry_plan.h"

#include <deque>
#include <gtest/gtest.h>
#include <set>

#include "backend/backend_test_support.h"

namespace weir::backend {
namespace {

using namespace std::chrono_literals;

class RetryPlanTest : public testing::Test {
 protected:
  void make(std::size_t servers, std::string_view balance = "round_robin") {
    BackendSettings settings;
    settings.name.value = "b";
    settings.balance = balance::default_settings(balance);
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
  Http1ServerConnections connections_;
  LocalRef<WorkerBackend> backend_;
};

TEST_F(RetryPlanTest, EndsWithItsAttempts) {
  make(5);
  for (std::uint32_t attempts = 1; attempts <= kAttemptsMax; ++attempts) {
    settings_.attempts = attempts;
    RetryPlan plan(settings_, {}, {});
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
  RetryPlan plan(settings_, began, {});
  EXPECT_EQ(plan.due_of_attempt_at(began), began + 10ms);
  EXPECT_NE(pick(plan, began + 9ms), -1);
  EXPECT_EQ(pick(plan, began + 10ms), -1);
}

TEST_F(RetryPlanTest, AnAttemptEndsAtItsOwnTimeoutOrTheDeadline) {
  settings_.deadline = 10s;
  settings_.per_try_timeout = 4s;
  const RetryPlan plan(settings_, {}, {});
  EXPECT_EQ(plan.due_of_attempt_at(TimePoint{} + 1s), TimePoint{} + 5s);
  EXPECT_EQ(plan.due_of_attempt_at(TimePoint{} + 9s), TimePoint{} + 10s);
}

// With every picker and number of servers.
TEST_F(RetryPlanTest, NoServerTwiceWhileAnotherIsThere) {
  for (const balance::PickerEntry& entry : balance::pickers()) {
    for (std::size_t servers = 1; servers <= 5; ++servers) {
      make(servers, entry.name);
      settings_.attempts = kAttemptsMax;
      RetryPlan plan(settings_, {}, {});
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

TEST_F(RetryPlanTest, WithoutAServerThereIsNoAttempt) {
  make(1);
  RetryPlan plan(settings_, {}, {});
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
    RetryPlan plan(settings_, {}, {});
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
  RetryPlan plan(settings_, {}, {});
  for (int i = 0; i < 100; ++i) EXPECT_LE(plan.next_backoff(random), 1ms);
}

TEST_F(RetryPlanTest, WithoutABackoffNothingIsWaitedFor) {
  settings_.backoff = 0s;
  Random random(7);
  RetryPlan plan(settings_, {}, {});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(plan.next_backoff(random), 0s);
}

// Requests that share servers with a maxconn.
class MaxconnTest : public test::ChangeFixture {
 protected:
  struct Request {
    explicit Request(const RetrySettings& settings, TimePoint now) : plan(settings, now, {}) {}
    RetryPlan plan;
    net::CancelSlot cancel;
    ServerLease lease;
    Error error;
    bool is_full = false;  // at its first pick
  };

  ~MaxconnTest() override {
    for (Request& request : requests_) request.lease.release();
    for (Request& request : requests_) request.cancel.cancel(kCut);
    EXPECT_TRUE(worker_.turn_until([&] { return scope_.running() == 0; }));
    for (Request& request : requests_) request.lease.release();
    for (std::size_t i = 0; i < backend_->size(); ++i) EXPECT_EQ(server(i).leases(), 0u);
    EXPECT_EQ(backend_->wait_queue().waiting(), 0u);
  }

  static Task<> take_lease(Request& request, LocalRef<WorkerBackend> view) {
    Picked picked = request.plan.pick(*view, view->worker().now());
    request.is_full = picked.is_full;
    if (picked.is_full) {
      const auto waited = co_await request.plan.wait(*view, request.cancel, picked.lease);
      if (!waited) request.error = waited.error();
    }
    request.lease = std::move(picked.lease);
  }
  Request& start_request() {
    Request& request = requests_.emplace_back(settings_.retry, worker_->now());
    scope_.spawn(&take_lease, std::ref(request), view_);
    return request;
  }
  bool gets_lease(Request& request) {
    return worker_.turn_until([&] { return request.lease || request.error.kind != kNone; }) &&
           request.lease;
  }
  Error error_of(Request& request) {
    EXPECT_TRUE(worker_.turn_until([&] { return request.error.kind != kNone; }));
    EXPECT_FALSE(request.lease);
    return request.error;
  }
  std::uint32_t waiting() { return backend_->wait_queue().waiting(); }

  static constexpr ErrorKind kNone = ErrorKind::none;
  const Error kCut = make_error(ErrorKind::client_reset, Side::client);
  std::deque<Request> requests_;
  Scope scope_;
};

TEST_F(MaxconnTest, AServerGetsNoMoreThanItsMaxconn) {
  add_server("small").maxconn = 1;
  add_server("large").maxconn = 3;
  apply();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(start_request().lease) << i;
  EXPECT_EQ(server(0).leases(), 1u);
  EXPECT_EQ(server(1).leases(), 3u);
  const Request& fifth = start_request();
  EXPECT_TRUE(fifth.is_full);
  EXPECT_FALSE(fifth.lease);
  EXPECT_EQ(waiting(), 1u);
  EXPECT_EQ(backend_->stats().of(0).queue_waits.read(), 1u);
}

TEST_F(MaxconnTest, NobodyWaitsWhileAServerWithoutLimitIsThere) {
  add_server("small").maxconn = 1;
  add_server("any");
  apply();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(start_request().lease) << i;
  EXPECT_EQ(server(0).leases(), 1u);
}

TEST_F(MaxconnTest, BackupsServeBeforeAnybodyWaits) {
  add_server("primary").maxconn = 1;
  add_server("backup").backup = true;
  apply();
  EXPECT_EQ(start_request().lease.server().name(), "primary");
  EXPECT_EQ(start_request().lease.server().name(), "backup");
}

TEST_F(MaxconnTest, WhoWaitsIsServedInTheOrderOfArrival) {
  add_server("s").maxconn = 1;
  apply();
  Request& holder = start_request();
  for (int i = 0; i < 5; ++i) start_request();
  EXPECT_EQ(waiting(), 5u);
  holder.lease.release();
  for (std::size_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(gets_lease(requests_[i])) << i;
    for (std::size_t later = i + 1; later <= 5; ++later) EXPECT_FALSE(requests_[later].lease);
    EXPECT_EQ(server(0).leases(), 1u);
    requests_[i].lease.release();
  }
}

TEST_F(MaxconnTest, ANewcomerDoesNotOvertake) {
  add_server("s").maxconn = 1;
  apply();
  Request& holder = start_request();
  Request& first = start_request();
  holder.lease.release();
  // The slot is free or handed over already; either way it is not the newcomer's.
  Request& newcomer = start_request();
  ASSERT_TRUE(gets_lease(first));
  EXPECT_FALSE(newcomer.lease);
  first.lease.release();
  EXPECT_TRUE(gets_lease(newcomer));
}

TEST_F(MaxconnTest, TheQueueHasALimit) {
  settings_.queue_length = 2;
  add_server("s").maxconn = 1;
  apply();
  for (int i = 0; i < 3; ++i) start_request();
  EXPECT_EQ(error_of(start_request()), make_error(ErrorKind::queue_full, Side::weir));
  EXPECT_EQ(waiting(), 2u);
}

TEST_F(MaxconnTest, WithoutAQueueNobodyWaits) {
  settings_.queue_length = 0;
  add_server("s").maxconn = 1;
  apply();
  start_request();
  EXPECT_EQ(error_of(start_request()), make_error(ErrorKind::queue_full, Side::weir));
}

TEST_F(MaxconnTest, AWaitEndsAtItsTimeout) {
  settings_.timeouts.queue = 20ms;
  add_server("s").maxconn = 1;
  apply();
  Request& holder = start_request();
  const TimePoint began = worker_->now();
  EXPECT_EQ(error_of(start_request()), make_error(ErrorKind::queue_timeout, Side::weir));
  EXPECT_GE(worker_->now() - began, 20ms);
  EXPECT_EQ(waiting(), 0u);
  holder.lease.release();
  EXPECT_TRUE(start_request().lease);
}

TEST_F(MaxconnTest, AWaitEndsAtTheDeadlineOfTheRequest) {
  settings_.retry.deadline = 20ms;
  add_server("s").maxconn = 1;
  apply();
  start_request();
  EXPECT_EQ(error_of(start_request()), make_error(ErrorKind::queue_timeout, Side::weir));
}

TEST_F(MaxconnTest, WhoIsCancelledGivesUpItsPlace) {
  add_server("s").maxconn = 1;
  apply();
  Request& holder = start_request();
  Request& cancelled = start_request();
  Request& next = start_request();
  cancelled.cancel.cancel(kCut);
  EXPECT_EQ(error_of(cancelled), kCut);
  EXPECT_EQ(waiting(), 1u);
  holder.lease.release();
  EXPECT_TRUE(gets_lease(next));
}

TEST_F(MaxconnTest, AServerThatIsReadyAgainFreesThoseWhoWait) {
  add_server("s").maxconn = 1;
  add_server("t").maxconn = 1;
  apply();
  server(1).set_admin_state(AdminState::disabled);
  renew_candidates();
  start_request();
  Request& waits = start_request();
  EXPECT_EQ(waiting(), 1u);
  server(1).set_admin_state(AdminState::ready);
  renew_candidates();
  ASSERT_TRUE(gets_lease(waits));
  EXPECT_EQ(waits.lease.server().name(), "t");
}

// Nobody knows whether those who wait wait in vain: the server may come back in time.
TEST_F(MaxconnTest, ANewcomerDoesNotWaitForAServerThatNobodyGets) {
  add_server("s").maxconn = 1;
  apply();
  start_request();
  Request& waits = start_request();
  server(0).set_admin_state(AdminState::disabled);
  renew_candidates();
  const Request& newcomer = start_request();
  EXPECT_FALSE(newcomer.is_full);
  EXPECT_FALSE(newcomer.lease);
  EXPECT_EQ(waiting(), 1u);
  server(0).set_admin_state(AdminState::ready);
  renew_candidates();
  EXPECT_TRUE(start_request().is_full);
  requests_.front().lease.release();
  EXPECT_TRUE(gets_lease(waits));
}

TEST_F(MaxconnTest, AHigherLimitFreesThoseWhoWait) {
  add_server("s").maxconn = 1;
  apply();
  start_request();
  for (int i = 0; i < 4; ++i) start_request();
  settings_.servers[0].maxconn = 3;
  apply();
  EXPECT_TRUE(gets_lease(requests_[1]));
  EXPECT_TRUE(gets_lease(requests_[2]));
  EXPECT_EQ(server(0).leases(), 3u);
  EXPECT_EQ(waiting(), 2u);
  settings_.servers[0].maxconn.reset();
  apply();
  EXPECT_TRUE(gets_lease(requests_[3]));
  EXPECT_TRUE(gets_lease(requests_[4]));
}

TEST_F(MaxconnTest, ANewServerFreesThoseWhoWait) {
  add_server("s").maxconn = 1;
  apply();
  start_request();
  Request& waits = start_request();
  add_server("t");
  apply();
  ASSERT_TRUE(gets_lease(waits));
  EXPECT_EQ(waits.lease.server().name(), "t");
}

TEST_F(MaxconnTest, ALowerLimitLetsNobodyInBeforeItHolds) {
  add_server("s").maxconn = 3;
  apply();
  for (int i = 0; i < 3; ++i) start_request();
  settings_.servers[0].maxconn = 1;
  apply();
  Request& waits = start_request();
  EXPECT_TRUE(waits.is_full);
  requests_[0].lease.release();
  requests_[1].lease.release();
  worker_.turn_a_little();
  EXPECT_FALSE(waits.lease);
  requests_[2].lease.release();
  EXPECT_TRUE(gets_lease(waits));
}

// Who waits does so over any number of changes, and is served by the newest generation.
TEST_F(MaxconnTest, WhoWaitsKeepsItsPlaceOverChanges) {
  add_server("s").maxconn = 1;
  apply();
  Request& holder = start_request();
  Request& first = start_request();
  for (int i = 0; i < 10; ++i) {
    ++settings_.queue_length;
    apply();
  }
  Request& second = start_request();
  holder.lease.release();
  ASSERT_TRUE(gets_lease(first));
  EXPECT_FALSE(second.lease);
  EXPECT_EQ(first.lease.pool().owner(), view_.get());
  first.lease.release();
  EXPECT_TRUE(gets_lease(second));
}

TEST_F(MaxconnTest, WhoWaitsForABackendThatHasLeftIsServed) {
  add_server("s").maxconn = 1;
  apply();
  Request& holder = start_request();
  Request& waits = start_request();
  view_->retire();
  view_.reset();
  holder.lease.release();
  EXPECT_TRUE(gets_lease(waits));
}

// Tried, then full: what was tried is not forgotten while it waits.
TEST_F(MaxconnTest, WhoWaitedGetsAServerThatItHasNotTried) {
  add_server("a").maxconn = 1;
  add_server("b").maxconn = 1;
  apply();
  Request& retries = start_request();
  ASSERT_EQ(retries.lease.server().name(), "a");
  retries.lease.release();
  Request& of_b = start_request();
  Request& of_a = start_request();
  ASSERT_EQ(of_b.lease.server().name(), "b");
  ASSERT_EQ(of_a.lease.server().name(), "a");
  scope_.spawn(&take_lease, std::ref(retries), view_);
  EXPECT_EQ(waiting(), 1u);
  // Both become free before it is asked again.
  server(0).set_admin_state(AdminState::disabled);
  server(1).set_admin_state(AdminState::disabled);
  renew_candidates();
  of_a.lease.release();
  of_b.lease.release();
  server(0).set_admin_state(AdminState::ready);
  server(1).set_admin_state(AdminState::ready);
  renew_candidates();
  ASSERT_TRUE(gets_lease(retries));
  EXPECT_EQ(retries.lease.server().name(), "b");
}

}  // namespace
}  // namespace weir::backend
