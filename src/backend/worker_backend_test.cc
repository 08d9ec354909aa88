#include "backend/worker_backend.h"

#include <gtest/gtest.h>

#include "net/net_test_support.h"

namespace weir::backend {
namespace {

using net::test::ClosedPort;
using net::test::FakeServer;
using net::test::Peer;
using net::test::TestWorker;
using namespace std::chrono_literals;

class WorkerBackendTest : public testing::Test {
 protected:
  void make(BackendSettings settings, std::uint32_t workers = 1) {
    settings.name.value = "b";
    backend_ = std::make_shared<Backend>(settings, registry_);
    worker_backend_ = make_local<WorkerBackend>(*worker_, backend_, workers, connections_);
  }
  static ServerSettings server_at(const net::Address& address) {
    ServerSettings server;
    server.name.value = address.to_string();
    server.address.address = address;
    return server;
  }
  static BackendSettings settings_of(std::initializer_list<net::Address> addresses) {
    BackendSettings settings;
    for (const net::Address& address : addresses) settings.servers.push_back(server_at(address));
    return settings;
  }

  ServerLease pick(std::initializer_list<std::size_t> tried = {}) {
    std::vector<LocalRef<ServerPool>> pools;
    for (const std::size_t server : tried) {
      pools.emplace_back(worker_backend_->pool_of(balance::to_server(server)));
    }
    return worker_backend_->pick(pools).lease;
  }
  // One attempt's connection.
  Result<ServerConnection*> connect(Replay replay = Replay::possible) {
    const ServerLease lease = pick();
    EXPECT_TRUE(lease);
    Result<ServerConnection*> connected = fail(ErrorKind::none);
    worker_.run([&]() -> Task<> {
      connected = co_await worker_backend_->connect(lease, {.replay = replay}, cancel_);
    });
    return connected;
  }
  ServerConnection& connect_to(FakeServer& server) {
    ServerConnection* connection = connect().value();
    EXPECT_TRUE(worker_.turn_until(
        [&, before = server.peers.size()] { return server.accept_all() > before; }));
    return *connection;
  }
  // A whole exchange on the connection, so that it may be kept.
  void exchange(ServerConnection& connection, Peer& peer) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    worker_.run([&]() -> Task<> {
      Arena arena(worker_->buffers());
      http::RequestHead request;
      request.method_text = "GET";
      request.path = "/";
      http::ResponseHead response;
      EXPECT_TRUE(co_await connection.http.write_head(request, net::BodyFollows::no, kNever));
      EXPECT_TRUE(co_await connection.http.read_head(response, arena, kNever));
    });
    EXPECT_TRUE(connection.http.is_reusable());
  }
  static void keep(ServerConnection& connection) { connection.pool.keep(connection); }
  static void close(ServerConnection& connection) { connection.pool.close(connection); }
  ServerConnection& use_and_keep(FakeServer& server) {
    ServerConnection& connection = connect_to(server);
    exchange(connection, server.peers.back());
    keep(connection);
    return connection;
  }
  const stats::ServerCells& cells(std::size_t server = 0) {
    return backend_->server(balance::to_server(server)).stats().of(0);
  }

  stats::Registry registry_{1};
  TestWorker worker_;
  net::CancelSlot cancel_;
  std::shared_ptr<Backend> backend_;
  Slab<ServerConnection> connections_;
  LocalRef<WorkerBackend> worker_backend_;
};

TEST_F(WorkerBackendTest, ALeaseCountsUntilItGoesOutOfScope) {
  FakeServer server;
  make(settings_of({server.address}));
  Server& counted = backend_->server(balance::to_server(0));
  {
    ServerLease first = pick();
    EXPECT_EQ(counted.leases(), 1u);
    ServerLease second = pick();
    EXPECT_EQ(counted.leases(), 2u);
    const ServerLease moved = std::move(first);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): what a moved lease says is the test
    second = ServerLease();
    EXPECT_EQ(counted.leases(), 1u);
  }
  EXPECT_EQ(counted.leases(), 0u);
}

TEST_F(WorkerBackendTest, PicksNoServerTwiceInAnExchange) {
  FakeServer a;
  FakeServer b;
  make(settings_of({a.address, b.address}));
  EXPECT_EQ(pick({0}).index(), balance::to_server(1));
  EXPECT_EQ(pick({1}).index(), balance::to_server(0));
  EXPECT_FALSE(pick({0, 1}));
}

TEST_F(WorkerBackendTest, TheConnectionUsedLastIsTakenFirst) {
  FakeServer server;
  make(settings_of({server.address}));
  ServerConnection& first = connect_to(server);
  exchange(first, server.peers.back());
  ServerConnection& second = connect_to(server);
  exchange(second, server.peers.back());
  keep(second);
  keep(first);
  ServerConnection* reused = connect().value();
  EXPECT_EQ(reused, &first);
  EXPECT_TRUE(reused->is_reused());
  EXPECT_EQ(connect().value(), &second);
  EXPECT_EQ(cells().connects.read(), 2u);
  EXPECT_EQ(cells().reuses.read(), 2u);
  close(first);
  close(second);
}

TEST_F(WorkerBackendTest, AnIdleConnectionOwnsNoBuffer) {
  FakeServer server;
  make(settings_of({server.address}));
  use_and_keep(server);
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST_F(WorkerBackendTest, KeepsNoMoreThanItsShareAndDropsTheOldest) {
  FakeServer server;
  BackendSettings settings = settings_of({server.address});
  settings.pool.idle_max = 3;
  make(settings, 2);  // so two are this worker's
  std::vector<ServerConnection*> connections;
  for (int i = 0; i < 3; ++i) {
    connections.push_back(&connect_to(server));
    exchange(*connections.back(), server.peers.back());
  }
  for (ServerConnection* connection : connections) keep(*connection);
  ASSERT_TRUE(worker_.turn_until([&] { return server.peers[0].is_over(); }));
  EXPECT_FALSE(server.peers[1].is_over());
  EXPECT_FALSE(server.peers[2].is_over());
}

TEST_F(WorkerBackendTest, KeepsNoneIfThePoolIsOff) {
  FakeServer server;
  BackendSettings settings = settings_of({server.address});
  settings.pool.idle_max = 0;
  make(settings);
  use_and_keep(server);
  ASSERT_TRUE(worker_.turn_until([&] { return server.peers[0].is_over(); }));
}

TEST_F(WorkerBackendTest, AnIdleConnectionEndsAfterItsTime) {
  FakeServer server;
  BackendSettings settings = settings_of({server.address});
  settings.pool.idle_timeout = 20ms;
  make(settings);
  const TimePoint kept_at = worker_->now();
  use_and_keep(server);
  ASSERT_TRUE(worker_.turn_until([&] { return server.peers[0].is_over(); }));
  EXPECT_GE(worker_->now() - kept_at, 20ms);
  close(connect_to(server));
  EXPECT_EQ(cells().reuses.read(), 0u);
}

TEST_F(WorkerBackendTest, AConnectionInUseIsNotEndedByItsIdleTime) {
  FakeServer server;
  BackendSettings settings = settings_of({server.address});
  settings.pool.idle_timeout = 10ms;
  make(settings);
  use_and_keep(server);
  ServerConnection* taken = connect().value();
  const TimePoint until = worker_->now() + 30ms;
  ASSERT_TRUE(worker_.turn_until([&] { return worker_->now() > until; }));
  EXPECT_FALSE(server.peers[0].is_over());
  exchange(*taken, server.peers[0]);
  close(*taken);
}

TEST_F(WorkerBackendTest, AServerThatEndsAnIdleConnectionIsNoticed) {
  for (const bool by_reset : {false, true}) {
    FakeServer server;
    make(settings_of({server.address}));
    use_and_keep(server);
    by_reset ? server.peers[0].reset() : server.peers[0].shutdown_write();
    worker_.turn_a_little();
    close(connect_to(server));
    EXPECT_EQ(cells().reuses.read(), 0u);
    worker_backend_.reset();
    backend_.reset();
  }
}

TEST_F(WorkerBackendTest, WhatNobodyAskedForEndsAnIdleConnection) {
  FakeServer server;
  make(settings_of({server.address}));
  use_and_keep(server);
  server.peers[0].send("HTTP/1.1 408 Too late\r\n\r\n");
  ASSERT_TRUE(worker_.turn_until([&] { return server.peers[0].is_over(); }));
}

TEST_F(WorkerBackendTest, WhatCameBeforeItWasKeptEndsItToo) {
  for (const bool by_end : {false, true}) {
    FakeServer server;
    make(settings_of({server.address}));
    ServerConnection& connection = connect_to(server);
    exchange(connection, server.peers[0]);
    by_end ? server.peers[0].shutdown_write() : server.peers[0].send("X");
    worker_.turn_a_little();
    keep(connection);
    ASSERT_TRUE(worker_.turn_until([&] { return server.peers[0].is_over(); }));
    worker_backend_.reset();
  }
}

TEST_F(WorkerBackendTest, ARequestThatCannotBeSentAgainTakesOnlyAFreshlyUsedConnection) {
  FakeServer server;
  make(settings_of({server.address}));
  ServerConnection& kept = use_and_keep(server);
  EXPECT_EQ(connect(Replay::impossible).value(), &kept);
  keep(kept);
  kept.idle_since = worker_->now() - 1001ms;
  ServerConnection* fresh = connect(Replay::impossible).value();
  EXPECT_NE(fresh, &kept);
  EXPECT_FALSE(fresh->is_reused());
  EXPECT_EQ(connect(Replay::possible).value(), &kept);
  close(*fresh);
  close(kept);
}

TEST_F(WorkerBackendTest, AServerThatRefusedIsLeftOutForAWhile) {
  const ClosedPort closed;
  FakeServer server;
  BackendSettings settings = settings_of({closed.address, server.address});
  settings.refused_pause = 100ms;
  make(settings);
  const auto refused = connect();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::connect_refused);
  EXPECT_EQ(refused.error().side, Side::server);
  EXPECT_EQ(cells(0).connect_failures.read(), 1u);
  const TimePoint refused_at = worker_->now();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(pick().index(), balance::to_server(1));
  }
  ASSERT_TRUE(worker_.turn_until([&] { return worker_->now() >= refused_at + 100ms; }));
  int picked = 0;
  for (int i = 0; i < 2; ++i) picked += pick().index() == balance::to_server(0);
  EXPECT_EQ(picked, 1);
}

TEST_F(WorkerBackendTest, WhenAllHaveRefusedTheyAreTriedAnyway) {
  const ClosedPort first;
  const ClosedPort second;
  make(settings_of({first.address, second.address}));
  EXPECT_FALSE(connect());
  EXPECT_FALSE(connect());
  EXPECT_TRUE(pick());
}

TEST_F(WorkerBackendTest, WithoutAPauseARefusalIsForgotten) {
  const ClosedPort closed;
  FakeServer server;
  BackendSettings settings = settings_of({closed.address, server.address});
  settings.refused_pause = 0s;
  make(settings);
  EXPECT_FALSE(connect());
  EXPECT_EQ(pick().index(), balance::to_server(1));
  EXPECT_EQ(pick().index(), balance::to_server(0));
}

TEST_F(WorkerBackendTest, BackupsAreThereForWhenNoPrimaryCanBePicked) {
  for (const balance::PickerEntry& entry : balance::kPickers) {
    FakeServer a;
    FakeServer b;
    FakeServer c;
    BackendSettings settings = settings_of({a.address, b.address, c.address});
    settings.balance = static_cast<Balance>(&entry - balance::kPickers.data());
    settings.servers[0].backup = true;
    settings.servers[2].weight = 0;
    make(settings);
    std::vector<ServerLease> leases;
    for (int i = 0; i < 20; ++i) {
      leases.push_back(pick());
      EXPECT_EQ(leases.back().index(), balance::to_server(1)) << entry.name;
    }
    EXPECT_EQ(pick({1}).index(), balance::to_server(0)) << entry.name;
    EXPECT_FALSE(pick({1, 0})) << entry.name;
  }
}

TEST_F(WorkerBackendTest, BackupsShareWhatTheyGet) {
  FakeServer a;
  FakeServer b;
  BackendSettings settings = settings_of({a.address, b.address});
  for (ServerSettings& server : settings.servers) server.backup = true;
  settings.servers[0].weight = 2;
  make(settings);
  int of_first = 0;
  for (int i = 0; i < 30; ++i) of_first += balance::to_number(pick().index()) == 0;
  EXPECT_EQ(of_first, 20);
}

TEST_F(WorkerBackendTest, ABackupHasItsTurnBeforeAPrimaryThatRefusedAndGivesItBack) {
  const ClosedPort closed;
  FakeServer server;
  BackendSettings settings = settings_of({closed.address, server.address});
  settings.servers[1].backup = true;
  settings.refused_pause = 50ms;
  make(settings);
  EXPECT_FALSE(connect());
  const TimePoint refused_at = worker_->now();
  EXPECT_EQ(pick().index(), balance::to_server(1));
  // When the backup is no better, the primary goes first again.
  EXPECT_EQ(pick({1}).index(), balance::to_server(0));
  ASSERT_TRUE(worker_.turn_until([&] { return worker_->now() >= refused_at + 50ms; }));
  EXPECT_EQ(pick().index(), balance::to_server(0));
}

TEST_F(WorkerBackendTest, AConnectTakesNoLongerThanItsTimeout) {
  const Fd listening = net::test::listening_socket(0);
  const net::Address address = net::test::local_address(listening.get());
  const Peer fills_the_queue = net::test::connect_peer(address);
  BackendSettings settings = settings_of({address});
  settings.timeouts.connect = 10ms;
  make(settings);
  const auto connected = connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error(), make_error(ErrorKind::connect_timeout, Side::server));
}

TEST_F(WorkerBackendTest, AConnectTakesNoLongerThanItsAttemptMay) {
  const Fd listening = net::test::listening_socket(0);
  const net::Address address = net::test::local_address(listening.get());
  const Peer fills_the_queue = net::test::connect_peer(address);
  make(settings_of({address}));
  const ServerLease lease = pick();
  Result<ServerConnection*> connected = fail(ErrorKind::none);
  worker_.run([&]() -> Task<> {
    connected = co_await worker_backend_->connect(lease, {.due = worker_->now() + 10ms}, cancel_);
  });
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error(), make_error(ErrorKind::connect_timeout, Side::server));
}

TEST_F(WorkerBackendTest, ACancelledConnectBlamesNobody) {
  const Fd listening = net::test::listening_socket(0);
  const net::Address address = net::test::local_address(listening.get());
  const Peer fills_the_queue = net::test::connect_peer(address);
  FakeServer other;
  make(settings_of({address, other.address}));
  const Error reason = make_error(ErrorKind::client_reset, Side::client);
  Scope scope;
  Result<ServerConnection*> connected = fail(ErrorKind::none);
  ServerLease lease = pick();
  scope.spawn(
      [&]() -> Task<> { connected = co_await worker_backend_->connect(lease, {}, cancel_); });
  worker_.turn_a_little();
  cancel_.cancel(reason);
  ASSERT_TRUE(worker_.turn_until([&] { return scope.running() == 0; }));
  EXPECT_EQ(connected.error(), reason);
  EXPECT_EQ(cells(0).connect_failures.read(), 0u);
  lease.release();
  // Neither is left out.
  EXPECT_NE(pick().index(), pick().index());
  // What is cancelled stays so.
  EXPECT_EQ(connect().error(), reason);
}

TEST_F(WorkerBackendTest, AServerWithoutAPortHasTheListeners) {
  FakeServer server;
  net::Address without_port = server.address;
  without_port.set_port(0);
  make(settings_of({without_port}));
  const ServerLease lease = pick();
  worker_.run([&]() -> Task<> {
    const auto connected =
        co_await worker_backend_->connect(lease, {.port = server.address.port()}, cancel_);
    EXPECT_TRUE(connected);
    if (connected) close(**connected);
  });
}

TEST_F(WorkerBackendTest, ClosingIdleConnectionsLeavesNone) {
  FakeServer server;
  make(settings_of({server.address}));
  use_and_keep(server);
  worker_backend_->close_idle();
  ASSERT_TRUE(worker_.turn_until([&] { return server.peers[0].is_over(); }));
  close(connect_to(server));
}

}  // namespace
}  // namespace weir::backend
