#include "backend/connect_plan.h"

#include "backend/backend_test_support.h"

namespace weir::backend {
namespace {

using net::test::ClosedPort;
using net::test::SilentPort;

// A backend with one server, whose name stands for what a test says.
class ConnectPlanTest : public test::ChangeFixture {
 protected:
  ConnectPlanTest() {
    ServerSettings& server = add_server("s");
    server.address.host = "app.internal";
    server.address.address.set_port(80);
    apply();
  }
  void resolve(std::vector<net::Address> addresses, std::string problem = "") {
    server(0).set_addresses(std::make_shared<const ServerAddresses>(
        ServerAddresses{.list = std::move(addresses), .problem = std::move(problem)}));
    renew_candidates();
  }
  // One attempt; never on a connection that has rested for a second.
  Result<ServerStream> connect(Replay replay = Replay::possible) {
    const ServerLease lease = pick();
    Result<ServerStream> connected = fail(ErrorKind::none);
    worker_.run([&]() -> Task<> {
      connected = co_await view_->connect(lease, {.replay = replay, .reached = &reached_}, cancel_);
    });
    return connected;
  }
  const net::Address& reached() const { return reached_->address; }
  const stats::ServerCells& cells() { return view_->pool_of(balance::to_server(0)).cells(); }

  LocalRef<PoolAddress> reached_;
};

TEST_F(ConnectPlanTest, AServerIsUnusableUntilItsNameResolves) {
  EXPECT_FALSE(pick());
  EXPECT_FALSE(view_->choice().has_candidates());
  const auto nobody = balance::ServerIndex::none;
  EXPECT_EQ(view_->choice().judge(balance::to_server(0), nobody), ServerVerdict::unresolved);
  EXPECT_EQ(view_->choice().problem_of(balance::to_server(0)),
            "app.internal has not been resolved yet");
  test::FakeServer fake;
  resolve({fake.address});
  EXPECT_TRUE(connect());
  EXPECT_EQ(reached(), fake.address);
  resolve({}, "app.internal does not resolve (NXDOMAIN)");
  EXPECT_FALSE(pick());
}

TEST_F(ConnectPlanTest, TheNextAddressIsTriedWithinTheAttempt) {
  settings_.refused_pause = 1h;
  apply();
  const ClosedPort first;
  const ClosedPort second;
  test::FakeServer fake;
  resolve({first.address, second.address, fake.address});
  ASSERT_TRUE(connect());
  EXPECT_EQ(reached(), fake.address);
  EXPECT_EQ(cells().connects.read(), 3u);
  EXPECT_EQ(cells().connect_failures.read(), 2u);
  // Those that refused come last from now on.
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(connect());
  EXPECT_EQ(cells().connect_failures.read(), 2u);
}

TEST_F(ConnectPlanTest, AnAddressThatIsSilentLeavesTimeForTheNext) {
  settings_.timeouts.connect = 400ms;
  apply();
  const SilentPort silent;
  test::FakeServer fake;
  resolve({silent.address, fake.address});
  ASSERT_TRUE(connect());
  EXPECT_EQ(reached(), fake.address);
}

TEST_F(ConnectPlanTest, AddressesThatAreNewWhileOneIsTriedAreTriedToo) {
  settings_.timeouts.connect = 400ms;
  apply();
  const SilentPort first;
  const SilentPort second;
  test::FakeServer fake;
  resolve({first.address, second.address});
  const ServerLease lease = pick();
  Result<ServerStream> connected = fail(ErrorKind::none);
  Scope scope;
  scope.spawn([&]() -> Task<> {
    connected = co_await view_->connect(lease, {.reached = &reached_}, cancel_);
  });
  worker_.turn_a_little();
  EXPECT_EQ(scope.running(), 1u);
  resolve({fake.address});
  ASSERT_TRUE(worker_.turn_until([&] { return scope.running() == 0; }));
  ASSERT_TRUE(connected);
  EXPECT_EQ(reached(), fake.address);
}

TEST_F(ConnectPlanTest, AServerWithANewAddressIsLetInAgain) {
  settings_.refused_pause = 1h;
  apply();
  const auto verdict = [&] {
    return view_->choice().judge(balance::to_server(0), balance::ServerIndex::none);
  };
  const ClosedPort first;
  const ClosedPort second;
  test::FakeServer fake;
  resolve({first.address, second.address});
  EXPECT_FALSE(connect());
  resolve({first.address});
  EXPECT_EQ(verdict(), ServerVerdict::refused_a_moment_ago);
  resolve({first.address, fake.address});
  EXPECT_EQ(verdict(), ServerVerdict::usable);
  EXPECT_TRUE(connect());
}

TEST_F(ConnectPlanTest, WhenAllRefuseTheAttemptFails) {
  const ClosedPort first;
  const ClosedPort second;
  resolve({first.address, second.address});
  const auto connected = connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().kind, ErrorKind::connect_refused);
  EXPECT_EQ(cells().connect_failures.read(), 2u);
  EXPECT_EQ(view_->choice().judge(balance::to_server(0), balance::ServerIndex::none),
            ServerVerdict::refused_a_moment_ago);
}

TEST_F(ConnectPlanTest, NewConnectionsTakeTurnsAmongTheAddresses) {
  std::array<test::FakeServer, 3> fakes;
  resolve({fakes[0].address, fakes[1].address, fakes[2].address});
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(connect());
  for (test::FakeServer& fake : fakes) {
    EXPECT_TRUE(worker_.turn_until([&] { return fake.accept_all() == 4; }));
  }
}

TEST_F(ConnectPlanTest, ConnectionsToAnAddressThatIsGoneAreUsedNoMore) {
  test::FakeServer before;
  test::FakeServer after;
  resolve({before.address});
  use(before);
  resolve({before.address, after.address});
  EXPECT_FALSE(before.peers[0].is_over());
  resolve({after.address});
  EXPECT_TRUE(is_closed(before.peers[0]));
  use(after);
  EXPECT_EQ(cells().reuses.read(), 0u);
}

TEST_F(ConnectPlanTest, WhatIsUnderWayOnAnAddressThatIsGoneFinishes) {
  test::FakeServer before;
  test::FakeServer after;
  resolve({before.address});
  {
    const ServerLease lease = pick();
    ServerStream stream = test::ChangeFixture::connect(lease);
    test::Peer& peer = accept(before);
    resolve({after.address});
    EXPECT_FALSE(peer.is_over());
    exchange(std::move(stream), peer);
  }
  EXPECT_TRUE(is_closed(before.peers[0]));
  use(after);
}

TEST_F(ConnectPlanTest, AReloadKeepsTheAddresses) {
  test::FakeServer fake;
  resolve({fake.address});
  use(fake);
  settings_.queue_length = 7;
  apply();
  use(fake);
  EXPECT_EQ(cells().reuses.read(), 1u);
  settings_.servers[0].address.host = "other.internal";
  apply();
  EXPECT_FALSE(pick());
  EXPECT_TRUE(is_closed(fake.peers[0]));
}

}  // namespace
}  // namespace weir::backend
