#include "proxy/tcp/serve_tcp_connection.h"

#include <gtest/gtest.h>

#include "proxy/proxy_test_support.h"

namespace weir::proxy {
namespace {

using test::ClosedPort;
using test::FakeServer;
using test::Peer;
using namespace std::chrono_literals;

class ServeTcpTest : public test::ProxyFixture {
 protected:
  ServeTcpTest()
      : ProxyFixture(Protocol::tcp,
                     [](const Listener&) -> Serve { return &serve_tcp_connection; }) {}
};

TEST_F(ServeTcpTest, CarriesBytesBothWays) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("question");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "question"));
  peer.send("answer");
  ASSERT_TRUE(receives(client, "answer"));
  EXPECT_EQ(leases(), 1u);
  client.shutdown_write();
  ASSERT_TRUE(turn_until([&] { return peer.read().ended; }));
  peer.shutdown_write();
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(client.read().os_error, 0);
  EXPECT_EQ(leases(), 0u);
  const test::Logged line = last_logged();
  EXPECT_EQ(line.attempts, 1);
  EXPECT_EQ(line.server, "s");
  EXPECT_EQ(line.bytes_received, 8u);
  EXPECT_EQ(line.bytes_sent, 6u);
  EXPECT_EQ(line.reason, Error{});
}

TEST_F(ServeTcpTest, AServerMaySpeakFirst) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  accept(server).send("220 hello\r\n");
  ASSERT_TRUE(receives(client, "220 hello\r\n"));
}

TEST_F(ServeTcpTest, TheNextServerIsTriedWhenOneRefuses) {
  const ClosedPort closed;
  FakeServer server;
  add_server(closed.address, "refuses");
  add_server(server.address, "serves");
  start();
  Peer client = connect_and_send("hi");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "hi"));
  peer.close();
  client.close();
  ASSERT_TRUE(has_no_connections());
  const test::Logged line = last_logged();
  EXPECT_EQ(line.attempts, 2);
  EXPECT_EQ(line.server, "serves");
}

TEST_F(ServeTcpTest, WithoutAServerTheClientIsReset) {
  const ClosedPort one;
  const ClosedPort two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  backend_.retry.attempts = 5;
  start();
  Peer client = connect();
  EXPECT_TRUE(is_reset(client));
  const test::Logged line = last_logged();
  EXPECT_EQ(line.attempts, 5);  // each is asked again
  EXPECT_EQ(line.reason.kind, ErrorKind::connect_refused);
  EXPECT_TRUE(line.sentence.starts_with(
      "The server refused the connection. Tried 1 (connect_refused after "))
      << line.sentence;
}

TEST_F(ServeTcpTest, ConnectingTakesNoLongerThanTheDeadlineOfAllAttempts) {
  const net::test::SilentPort silent;
  add_server(silent.address);
  backend_.retry.attempts = 8;
  backend_.retry.per_try_timeout = 20ms;
  backend_.retry.deadline = 50ms;
  start();
  const TimePoint began = worker_->now();
  Peer client = connect();
  EXPECT_TRUE(is_reset(client));
  EXPECT_GE(worker_->now() - began, 50ms);
  const test::Logged line = last_logged();
  // Each begins 20 ms after the one before it or later: on a slow machine there are fewer.
  EXPECT_LE(line.attempts, 3);
  EXPECT_EQ(line.reason.kind, ErrorKind::connect_timeout);
}

TEST_F(ServeTcpTest, ABackupIsConnectedToWhenNoPrimaryAccepts) {
  const ClosedPort closed;
  FakeServer server;
  add_server(server.address, "backup");
  backend_.servers.back().backup = true;
  add_server(closed.address, "primary");
  start();
  Peer client = connect_and_send("hi");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "hi"));
  peer.close();
  client.close();
  ASSERT_TRUE(has_no_connections());
  const test::Logged line = last_logged();
  EXPECT_EQ(line.attempts, 2);
  EXPECT_EQ(line.server, "backup");
}

TEST_F(ServeTcpTest, AServersResetReachesTheClient) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("hi");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "hi"));
  peer.reset();
  EXPECT_TRUE(is_reset(client));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::server_reset);
}

TEST_F(ServeTcpTest, AClientsResetReachesTheServer) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  Peer& peer = accept(server);
  client.reset();
  EXPECT_TRUE(is_reset(peer));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_reset);
  EXPECT_EQ(leases(), 0u);
}

TEST_F(ServeTcpTest, AnIdleTunnelIsEnded) {
  FakeServer server;
  listener_.timeouts.tunnel_idle = 20ms;
  start_with(server);
  Peer client = connect();
  Peer& peer = accept(server);
  EXPECT_TRUE(ends(client));
  EXPECT_TRUE(ends(peer));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::tunnel_idle_timeout);
}

TEST_F(ServeTcpTest, ADrainLetsATunnelRunAndAnAbortEndsIt) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("before");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "before"));
  proxy_->drain();
  worker_.turn_a_little();
  client.send(" during");
  ASSERT_TRUE(receives(peer, "before during"));
  EXPECT_FALSE(proxy_->is_drained());
  proxy_->abort_all();
  EXPECT_TRUE(turn_until([&] { return proxy_->is_drained(); }));
  EXPECT_TRUE(ends(client));
  EXPECT_TRUE(ends(peer));
}

TEST_F(ServeTcpTest, AnAbortEndsAConnect) {
  const net::test::SilentPort silent;
  add_server(silent.address);
  backend_.timeouts.connect = 1h;
  start();
  Peer client = connect();
  ASSERT_TRUE(turn_until([&] { return leases() == 1; }));
  proxy_->abort_all();
  EXPECT_TRUE(turn_until([&] { return proxy_->is_drained(); }));
  EXPECT_TRUE(ends(client));
}

// Nobody watches the client meanwhile.
TEST_F(ServeTcpTest, AClientThatLeavesDuringAConnectEndsInOrder) {
  const net::test::SilentPort silent;
  add_server(silent.address);
  backend_.timeouts.connect = 30ms;
  start();
  Peer client = connect();
  ASSERT_TRUE(turn_until([&] { return leases() == 1; }));
  client.reset();
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(leases(), 0u);
}

}  // namespace
}  // namespace weir::proxy
