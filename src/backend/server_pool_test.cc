#include "backend/server_pool.h"

#include <gtest/gtest.h>

#include "backend/backend_test_support.h"

namespace weir::backend {
namespace {

using namespace test;

const Error kDrained = make_error(ErrorKind::server_drained, Side::weir);

class ServerPoolTest : public ChangeFixture {
 protected:
  ServerPoolTest() { settings_.drain_deadline = 30ms; }

  void drain(std::size_t index) { set_state(index, AdminState::draining); }
  void set_state(std::size_t index, AdminState state) {
    server(index).set_admin_state(state);
    renew_candidates();
  }
  bool is_cut(const net::CancelSlot& work) {
    return worker_.turn_until([&] { return work.is_canceled(); });
  }
  void wait_for(Duration time) {
    const TimePoint until = worker_->now() + time;
    EXPECT_TRUE(worker_.turn_until([&] { return worker_->now() > until; }));
  }
};

TEST_F(ServerPoolTest, ADrainCutsWhatIsUnderWayAtItsDeadline) {
  add_server("drained");
  add_server("other");
  apply();
  const ServerLease lease = pick();
  const ServerLease elsewhere = pick();
  net::CancelSlot works[3];
  const LeaseUse first(lease, works[0]);
  const LeaseUse second(lease, works[1]);
  const LeaseUse of_other(elsewhere, works[2]);
  const TimePoint began = worker_->now();
  drain(0);
  ASSERT_TRUE(is_cut(works[0]));
  EXPECT_GE(worker_->now() - began, 30ms);
  EXPECT_EQ(works[0].reason(), kDrained);
  EXPECT_EQ(works[1].reason(), kDrained);
  EXPECT_FALSE(works[2].is_canceled());
}

// The slot is the connection's, which may go on with other requests and servers.
TEST_F(ServerPoolTest, WhatWasCutIsForgottenWithItsUse) {
  add_server("drained");
  apply();
  const ServerLease lease = pick();
  net::CancelSlot work;
  {
    const LeaseUse use(lease, work);
    drain(0);
    ASSERT_TRUE(is_cut(work));
  }
  EXPECT_FALSE(work.is_canceled());
}

TEST_F(ServerPoolTest, ARemovalCutsWhatIsUnderWayAtItsDeadline) {
  add_server("removed");
  add_server("stays");
  apply();
  const ServerLease lease = pick();
  const ServerLease elsewhere = pick();
  net::CancelSlot works[2];
  const LeaseUse use(lease, works[0]);
  const LeaseUse of_other(elsewhere, works[1]);
  const TimePoint began = worker_->now();
  settings_.servers.erase(settings_.servers.begin());
  apply();
  ASSERT_TRUE(is_cut(works[0]));
  EXPECT_GE(worker_->now() - began, 30ms);
  EXPECT_EQ(works[0].reason(), kDrained);
  EXPECT_FALSE(works[1].is_canceled());
}

TEST_F(ServerPoolTest, TheRemovalOfTheBackendCutsWhatIsUnderWayToo) {
  add_server("s");
  apply();
  const ServerLease lease = pick();
  net::CancelSlot work;
  const LeaseUse use(lease, work);
  view_->retire();
  EXPECT_FALSE(work.is_canceled());
  EXPECT_TRUE(is_cut(work));
}

TEST_F(ServerPoolTest, WhatHasEndedIsNotCut) {
  add_server("s");
  add_server("t");
  apply();
  const ServerLease lease = pick();
  net::CancelSlot ended;
  net::CancelSlot work;
  {
    const LeaseUse use(lease, ended);
  }
  const LeaseUse use(lease, work);
  drain(0);
  ASSERT_TRUE(is_cut(work));
  EXPECT_FALSE(ended.is_canceled());
}

TEST_F(ServerPoolTest, AServerThatIsReadyAgainCutsNothing) {
  add_server("s");
  apply();
  const ServerLease lease = pick();
  net::CancelSlot work;
  const LeaseUse use(lease, work);
  drain(0);
  set_state(0, AdminState::ready);
  wait_for(50ms);
  EXPECT_FALSE(work.is_canceled());
  EXPECT_EQ(pick_name(), "s");
}

TEST_F(ServerPoolTest, ADisabledServerFinishesWhatItHas) {
  add_server("s");
  apply();
  const ServerLease lease = pick();
  net::CancelSlot work;
  const LeaseUse use(lease, work);
  set_state(0, AdminState::disabled);
  wait_for(50ms);
  EXPECT_FALSE(work.is_canceled());
  EXPECT_EQ(pick_name(), "");
}

// Neither by what happens to other servers, nor by its removal.
TEST_F(ServerPoolTest, TheDeadlineOfADrainIsNotPutOff) {
  settings_.drain_deadline = 60ms;
  add_server("s");
  add_server("t");
  apply();
  const ServerLease lease = pick();
  net::CancelSlot work;
  const LeaseUse use(lease, work);
  const TimePoint began = worker_->now();
  drain(0);
  wait_for(20ms);
  set_state(1, AdminState::disabled);
  settings_.drain_deadline = 1h;
  apply();
  settings_.servers.erase(settings_.servers.begin());
  apply();
  ASSERT_TRUE(is_cut(work));
  EXPECT_GE(worker_->now() - began, 60ms);
}

TEST_F(ServerPoolTest, OnlyAServerThatIsReadyKeepsConnections) {
  for (const AdminState state : {AdminState::draining, AdminState::disabled}) {
    FakeServer fake;
    settings_.servers.clear();
    add_server("s", fake.address);
    apply();
    const ServerLease lease = pick();
    ServerStream in_use = connect(lease);
    Peer& used = accept(fake);
    use(fake);
    Peer& idle = fake.peers.back();
    set_state(0, state);
    EXPECT_TRUE(is_closed(idle));
    EXPECT_FALSE(used.is_over());
    exchange(std::move(in_use), used);
    EXPECT_TRUE(is_closed(used));
  }
}

TEST_F(ServerPoolTest, AConnectionCarriesNoMoreRequestsThanItMay) {
  FakeServer fake;
  settings_.pool.requests_max = 3;
  add_server("s", fake.address);
  apply();
  for (int i = 0; i < 3; ++i) use(fake);
  EXPECT_TRUE(is_closed(fake.peers[0]));
  use(fake);
  EXPECT_EQ(fake.peers.size(), 2u);
  // A lower limit counts what went before.
  settings_.pool.requests_max = 2;
  apply();
  use(fake);
  EXPECT_TRUE(is_closed(fake.peers[1]));
}

}  // namespace
}  // namespace weir::backend
