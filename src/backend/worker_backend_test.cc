#include "backend/worker_backend.h"

#include <gtest/gtest.h>

#include "backend/http1_server_connection.h"
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
    return worker_backend_->pick({}, pools).lease;
  }
  // One attempt's stream.
  Result<ServerStream> connect(Replay replay = Replay::possible) {
    const ServerLease lease = pick();
    EXPECT_TRUE(lease);
    Result<ServerStream> connected = fail(ErrorKind::none);
    worker_.run([&]() -> Task<> {
      connected = co_await worker_backend_->connect(lease, {.replay = replay}, cancel_);
    });
    return connected;
  }
  ServerStream connect_to(FakeServer& server) {
    ServerStream stream = connect().value();
    EXPECT_TRUE(worker_.turn_until(
        [&, before = server.peers.size()] { return server.accept_all() > before; }));
    return stream;
  }
  // A whole exchange on the stream, so that its connection may be kept.
  void exchange(ServerStream& stream, Peer& peer) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    worker_.run([&]() -> Task<> {
      Arena arena(worker_->buffers());
      http::RequestHead request;
      request.method_text = "GET";
      request.path = "/";
      http::ResponseHead response;
      EXPECT_TRUE(co_await stream.http().write_head(request, net::BodyFollows::no, kNever));
      EXPECT_TRUE(co_await stream.http().read_head(response, arena, kNever));
    });
  }
  static void keep(ServerStream stream) { stream.mark_ended_well(); }
  ServerConnection& use_and_keep(FakeServer& server) {
    ServerStream stream = connect_to(server);
    ServerConnection& connection = stream.connection();
    exchange(stream, server.peers.back());
    keep(std::move(stream));
    return connection;
  }
  const stats::ServerCells& cells(std::size_t server = 0) {
    return backend_->server(balance::to_server(server)).stats().of(0);
  }

  stats::Registry registry_{1};
  TestWorker worker_;
  net::CancelSlot cancel_;
  std::shared_ptr<Backend> backend_;
  Http1ServerConnections connections_;
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
  ServerStream on_first = connect_to(server);
  const ServerConnection& first = on_first.connection();
  exchange(on_first, server.peers.back());
  ServerStream on_second = connect_to(server);
  const ServerConnection& second = on_second.connection();
  exchange(on_second, server.peers.back());
  keep(std::move(on_second));
  keep(std::move(on_first));
  const ServerStream reused = connect().value();
  EXPECT_EQ(&reused.connection(), &first);
  EXPECT_TRUE(reused.is_reused());
  EXPECT_EQ(&connect().value().connection(), &second);
  EXPECT_EQ(cells().connects.read(), 2u);
  EXPECT_EQ(cells().reuses.read(), 2u);
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
  std::vector<ServerStream> streams;
  for (int i = 0; i < 3; ++i) {
    streams.push_back(connect_to(server));
    exchange(streams.back(), server.peers.back());
  }
  for (ServerStream& stream : streams) keep(std::move(stream));
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
  connect_to(server);
  EXPECT_EQ(cells().reuses.read(), 0u);
}

TEST_F(WorkerBackendTest, AConnectionInUseIsNotEndedByItsIdleTime) {
  FakeServer server;
  BackendSettings settings = settings_of({server.address});
  settings.pool.idle_timeout = 10ms;
  make(settings);
  use_and_keep(server);
  ServerStream taken = connect().value();
  const TimePoint until = worker_->now() + 30ms;
  ASSERT_TRUE(worker_.turn_until([&] { return worker_->now() > until; }));
  EXPECT_FALSE(server.peers[0].is_over());
  exchange(taken, server.peers[0]);
}

TEST_F(WorkerBackendTest, AServerThatEndsAnIdleConnectionIsNoticed) {
  for (const bool by_reset : {false, true}) {
    FakeServer server;
    make(settings_of({server.address}));
    use_and_keep(server);
    by_reset ? server.peers[0].reset() : server.peers[0].shutdown_write();
    worker_.turn_a_little();
    connect_to(server);
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
    ServerStream stream = connect_to(server);
    exchange(stream, server.peers[0]);
    by_end ? server.peers[0].shutdown_write() : server.peers[0].send("X");
    worker_.turn_a_little();
    keep(std::move(stream));
    ASSERT_TRUE(worker_.turn_until([&] { return server.peers[0].is_over(); }));
    worker_backend_.reset();
  }
}

TEST_F(WorkerBackendTest, ARequestThatCannotBeSentAgainTakesOnlyAFreshlyUsedConnection) {
  FakeServer server;
  make(settings_of({server.address}));
  ServerConnection& kept = use_and_keep(server);
  ServerStream stream = connect(Replay::impossible).value();
  EXPECT_EQ(&stream.connection(), &kept);
  exchange(stream, server.peers[0]);
  keep(std::move(stream));
  kept.used_at = worker_->now() - 1001ms;
  const ServerStream fresh = connect(Replay::impossible).value();
  EXPECT_NE(&fresh.connection(), &kept);
  EXPECT_FALSE(fresh.is_reused());
  EXPECT_EQ(&connect(Replay::possible).value().connection(), &kept);
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
  for (const balance::PickerEntry& entry : balance::pickers()) {
    FakeServer a;
    FakeServer b;
    FakeServer c;
    BackendSettings settings = settings_of({a.address, b.address, c.address});
    settings.balance = balance::default_settings(entry.name);
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
  const net::test::SilentPort silent;
  BackendSettings settings = settings_of({silent.address});
  settings.timeouts.connect = 10ms;
  make(settings);
  const auto connected = connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error(), make_error(ErrorKind::connect_timeout, Side::server));
}

TEST_F(WorkerBackendTest, AConnectTakesNoLongerThanItsAttemptMay) {
  const net::test::SilentPort silent;
  make(settings_of({silent.address}));
  const ServerLease lease = pick();
  Result<ServerStream> connected = fail(ErrorKind::none);
  worker_.run([&]() -> Task<> {
    connected = co_await worker_backend_->connect(lease, {.due = worker_->now() + 10ms}, cancel_);
  });
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error(), make_error(ErrorKind::connect_timeout, Side::server));
}

TEST_F(WorkerBackendTest, ACancelledConnectBlamesNobody) {
  const net::test::SilentPort silent;
  FakeServer other;
  make(settings_of({silent.address, other.address}));
  const Error reason = make_error(ErrorKind::client_reset, Side::client);
  Scope scope;
  Result<ServerStream> connected = fail(ErrorKind::none);
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
  });
}

TEST_F(WorkerBackendTest, ClosingIdleConnectionsLeavesNone) {
  FakeServer server;
  make(settings_of({server.address}));
  use_and_keep(server);
  worker_backend_->close_idle();
  ASSERT_TRUE(worker_.turn_until([&] { return server.peers[0].is_over(); }));
  connect_to(server);
}

}  // namespace
}  // namespace weir::backend
