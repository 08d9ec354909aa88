// What a reload does to connections, exchanges and listeners.

#include <algorithm>
#include <gtest/gtest.h>

#include "proxy/http/serve_http_test_support.h"

namespace weir::proxy {
namespace {

using test::FakeServer;
using test::kGet;
using test::kOk;
using test::Peer;
using namespace std::chrono_literals;

constexpr std::string_view kHead = "\r\n\r\n";
constexpr std::string_view kHalf = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";

class ReloadTest : public test::HttpFixture {
 protected:
  void serve_only(const char* prefix) {
    RouteSettings route;
    route.match.path_prefix.push_back(RoutePath{prefix});
    listener_.routes = {route};
  }
  void remove_listener() {
    auto next = std::make_shared<Snapshot>(*make_snapshot());
    next->listeners.clear();
    proxy_->install(std::move(next), {});
  }
  // A request of the client is answered, over the connection that the server was given last.
  void exchange(Peer& client, FakeServer& server, std::string_view request = kGet) {
    client.send(request);
    if (server.peers.empty()) accept(server);
    Peer& peer = server.peers.back();
    ASSERT_TRUE(receives(peer, kHead));
    peer.in.clear();
    peer.send(kOk);
    ASSERT_TRUE(receives(client, "ok"));
    client.in.clear();
  }
  // Before the listener has closed, a handshake is neither completed nor refused.
  bool is_refused_in_the_end() {
    return turn_until([&] {
      const Fd late(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      EXPECT_EQ(::connect(late.get(), address_.view().address, address_.view().length), -1);
      int error = 0;
      socklen_t length = sizeof error;
      EXPECT_EQ(::getsockopt(late.get(), SOL_SOCKET, SO_ERROR, &error, &length), 0);
      return error == ECONNREFUSED;
    });
  }
  // Reloads that change the backend; what they had put into force before is gone after each.
  void expect_nothing_kept_by(int reloads) {
    std::weak_ptr<const Snapshot> snapshot;
    std::weak_ptr<const backend::Backend> backend;
    for (int i = 0; i < reloads; ++i) {
      ++backend_.queue_length;
      auto next = make_snapshot();
      const std::weak_ptr<const Snapshot> next_snapshot = next;
      const std::weak_ptr<const backend::Backend> next_backend = next->backends[0];
      proxy_->install(std::move(next), {});
      EXPECT_TRUE(snapshot.expired());
      EXPECT_TRUE(backend.expired());
      snapshot = next_snapshot;
      backend = next_backend;
    }
    EXPECT_FALSE(snapshot.expired());
  }
};

TEST_F(ReloadTest, TheNextRequestOfAConnectionTakesTheNewRoutes) {
  FakeServer server;
  serve_only("/old");
  start_with(server);
  Peer client = connect();
  exchange(client, server, "GET /old HTTP/1.1\r\nHost: x\r\n\r\n");
  serve_only("/new");
  reload();
  client.send("GET /old HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(receives(client, "reason: no_route"));
  client.in.clear();
  exchange(client, server, "GET /new HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(proxy_->connections_open(), 1u);
  EXPECT_EQ(server.peers.size(), 1u);
}

TEST_F(ReloadTest, TheNextRequestOfAConnectionHasTheNewLimits) {
  FakeServer server;
  start_with(server);
  Peer with_body = connect();
  exchange(with_body, server);
  Peer with_head = connect();
  exchange(with_head, server);
  listener_.limits.body_bytes = ByteCount{1};
  listener_.limits.head_bytes = ByteCount{1024};
  reload();
  with_body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  ASSERT_TRUE(receives(with_body, "HTTP/1.1 413 "));
  with_head.send("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(2000, 'x') + "\r\n\r\n");
  ASSERT_TRUE(receives(with_head, "HTTP/1.1 431 "));
}

TEST_F(ReloadTest, HigherLimitsHoldFromTheNextRequestToo) {
  FakeServer server;
  listener_.limits.head_bytes = ByteCount{1024};
  start_with(server);
  Peer client = connect();
  exchange(client, server);
  listener_.limits.head_bytes = ByteCount{32 * 1024};
  reload();
  exchange(client, server,
           "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
}

TEST_F(ReloadTest, AnExchangeUnderWayFinishesWithItsOldSettings) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("POST /old HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "half"));
  serve_only("/new");
  listener_.limits.body_bytes = ByteCount{1};
  listener_.timeouts.client_body = 1ms;
  backend_.timeouts.response_head = 1ms;
  backend_.timeouts.server_body = 1ms;
  reload();
  const TimePoint until = worker_->now() + 30ms;
  ASSERT_TRUE(turn_until([&] { return worker_->now() > until; }));
  client.send("rest");
  ASSERT_TRUE(receives(peer, "halfrest"));
  const TimePoint answer_at = worker_->now() + 30ms;
  ASSERT_TRUE(turn_until([&] { return worker_->now() > answer_at; }));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().status, 200);
}

TEST_F(ReloadTest, AnIdleConnectionEndsOrderlyWithItsListener) {
  FakeServer server;
  start_with(server);
  Peer idle = connect();
  exchange(idle, server);
  remove_listener();
  ASSERT_TRUE(turn_until([&] { return idle.read().ended; }));
  EXPECT_EQ(idle.os_error, 0);
  // A request on its way meets no reset.
  idle.send(kGet);
  worker_.turn_a_little();
  idle.read();
  EXPECT_EQ(idle.os_error, 0);
  idle.close();
  EXPECT_TRUE(has_no_connections());
  EXPECT_TRUE(is_refused_in_the_end());
}

TEST_F(ReloadTest, ABusyConnectionEndsAfterItsExchangeWithItsListener) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, kHead));
  remove_listener();
  worker_.turn_a_little();
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_NE(client.in.find("Connection: close\r\n"), std::string::npos);
  ASSERT_TRUE(turn_until([&] { return client.read().ended; }));
  EXPECT_EQ(client.os_error, 0);
  EXPECT_FALSE(proxy_->is_draining());
}

TEST_F(ReloadTest, WhatIsQueuedOfAListenerThatGoesIsServed) {
  FakeServer server;
  start_with(server);
  std::vector<Peer> clients;
  clients.reserve(50);
  for (int i = 0; i < 50; ++i) clients.push_back(connect_and_send(kGet));
  remove_listener();
  ASSERT_TRUE(turn_until([&] {
    server.accept_all();
    for (Peer& peer : server.peers) {
      if (!peer.has(kHead)) continue;
      peer.in.clear();
      peer.try_send(kOk);
    }
    return std::ranges::all_of(clients, [](Peer& client) { return client.has("ok"); });
  }));
  for (Peer& client : clients) EXPECT_EQ(client.os_error, 0);
}

// The reloads after it must not take the routes from those that it still serves.
TEST_F(ReloadTest, AListenerThatGoesServesOverFurtherReloads) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  ASSERT_TRUE(turn_until([&] { return proxy_->connections_open() == 1; }));
  for (int i = 0; i < 5; ++i) {
    ++backend_.queue_length;
    remove_listener();
    worker_.turn_a_little();
  }
  exchange(client, server);
  EXPECT_TRUE(turn_until([&] { return client.read().ended; }));
}

TEST_F(ReloadTest, AListenerOfAnotherProtocolEndsTheConnectionsItHad) {
  FakeServer server;
  start_with(server);
  Peer idle = connect();
  exchange(idle, server);
  Peer busy = connect_and_send(kGet);
  Peer& peer = server.peers.back();
  ASSERT_TRUE(receives(peer, kHead));
  listener_.protocol = Protocol::tcp;
  reload();
  ASSERT_TRUE(turn_until([&] { return idle.read().ended; }));
  EXPECT_EQ(idle.os_error, 0);
  peer.send(kOk);
  ASSERT_TRUE(receives(busy, "Connection: close\r\n"));
  EXPECT_TRUE(turn_until([&] { return busy.read().ended; }));
}

TEST_F(ReloadTest, ALongResponseKeepsNoConfiguration) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, kHead));
  peer.in.clear();
  peer.send(kHalf);
  ASSERT_TRUE(receives(client, "half"));
  const std::weak_ptr<const backend::Backend> began_with = proxy_->snapshot().backends[0];
  expect_nothing_kept_by(100);
  EXPECT_TRUE(began_with.expired());
  peer.send("rest");
  ASSERT_TRUE(receives(client, "halfrest"));
  client.in.clear();
  exchange(client, server);
}

// It may have to be tried again, and keeps what it began with; nothing of what came after that.
TEST_F(ReloadTest, ALongRequestKeepsWhatItBeganWithAlone) {
  FakeServer server;
  start_with(server);
  const std::weak_ptr<const backend::Backend> began_with = proxy_->snapshot().backends[0];
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "half"));
  expect_nothing_kept_by(100);
  EXPECT_FALSE(began_with.expired());
  client.send("rest");
  ASSERT_TRUE(receives(peer, "halfrest"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  worker_.turn_a_little();
  EXPECT_TRUE(began_with.expired());
}

TEST_F(ReloadTest, AnExchangeOnAServerThatLeavesFinishes) {
  FakeServer gone;
  FakeServer stays;
  start_with(gone);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(gone);
  ASSERT_TRUE(receives(peer, kHead));
  backend_.servers.clear();
  add_server(stays.address, "stays");
  reload();
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_TRUE(ends(peer));
  client.in.clear();
  exchange(client, stays);
  EXPECT_EQ(proxy_->connections_open(), 1u);
}

TEST_F(ReloadTest, ABodyFromAServerThatLeftIsCutAtTheDrainDeadline) {
  FakeServer gone;
  FakeServer stays;
  backend_.drain_deadline = 20ms;
  start_with(gone);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(gone);
  ASSERT_TRUE(receives(peer, kHead));
  peer.send(kHalf);
  ASSERT_TRUE(receives(client, "half"));
  backend_.servers.clear();
  add_server(stays.address, "stays");
  const TimePoint began = worker_->now();
  reload();
  EXPECT_TRUE(is_reset(client));
  EXPECT_GE(worker_->now() - began, 20ms);
  EXPECT_TRUE(ends(peer));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::server_drained);
}

// The first server takes the request and dies after the reload has replaced it.
TEST_F(ReloadTest, ARetryAfterAReloadGoesToTheServersInForce) {
  FakeServer before;
  FakeServer after;
  backend_.retry.backoff = 0s;
  start_with(before);
  Peer client = connect_and_send(kGet);
  Peer& first = accept(before);
  ASSERT_TRUE(receives(first, kHead));
  backend_.servers.clear();
  add_server(after.address, "after");
  reload();
  first.reset();
  Peer& second = accept(after);
  ASSERT_TRUE(receives(second, kHead));
  second.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  const test::Logged line = last_logged();
  EXPECT_EQ(line.attempts, 2);
  EXPECT_EQ(line.server, "after");
}

}  // namespace
}  // namespace weir::proxy
