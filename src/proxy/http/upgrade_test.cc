#include "proxy/http/upgrade.h"

#include <gtest/gtest.h>

#include "proxy/http/serve_http_test_support.h"

namespace weir::proxy {
namespace {

using test::FakeServer;
using test::Peer;
using namespace std::chrono_literals;

constexpr std::string_view kAsks =
    "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    "Sec-WebSocket-Key: k\r\n\r\n";
constexpr std::string_view kPassedOn =
    "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n"
    "Sec-WebSocket-Key: k\r\n\r\n";
constexpr std::string_view kSwitches =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: a\r\n\r\n";

class UpgradeTest : public test::HttpFixture {
 protected:
  // A tunnel between the client and the server that is given back.
  Peer& open(FakeServer& server, Peer& client) {
    client.send(kAsks);
    Peer& peer = accept(server);
    EXPECT_TRUE(receives(peer, "\r\n\r\n"));
    EXPECT_EQ(peer.in, kPassedOn);
    peer.in.clear();
    peer.send(kSwitches);
    EXPECT_TRUE(receives(client, "\r\n\r\n"));
    EXPECT_EQ(client.in, kSwitches);
    client.in.clear();
    return peer;
  }
};

TEST_F(UpgradeTest, AWebSocketIsATunnel) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  Peer& peer = open(server, client);
  client.send("frame");
  ASSERT_TRUE(receives(peer, "frame"));
  peer.send("answer");
  ASSERT_TRUE(receives(client, "answer"));
  EXPECT_EQ(leases(), 1u);
  client.shutdown_write();
  ASSERT_TRUE(turn_until([&] { return peer.read().ended; }));
  peer.shutdown_write();
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(client.read().os_error, 0);
  const test::Logged line = last_logged();
  EXPECT_EQ(line.status, 101);
  EXPECT_EQ(line.bytes_received, 5u);
  EXPECT_EQ(line.bytes_sent, 6u);
  EXPECT_EQ(line.reason, Error{});
}

TEST_F(UpgradeTest, WhatCameWithTheHeadsGoesFirst) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(std::string(kAsks) + "early");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  EXPECT_EQ(peer.in, kPassedOn);  // nothing of a tunnel before there is one
  peer.send(std::string(kSwitches) + "first");
  ASSERT_TRUE(receives(client, "\r\n\r\nfirst"));
  ASSERT_TRUE(receives(peer, "\r\n\r\nearly"));
}

TEST_F(UpgradeTest, AServerMayDecline) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kAsks);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send(
      "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: other\r\n"
      "Content-Length: 0\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  EXPECT_TRUE(client.has("\r\nUpgrade: other\r\n"));
  // Both connections go on.
  client.in.clear();
  peer.in.clear();
  client.send(test::kGet);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
}

// Behind them requests would reach the server that nobody routes.
TEST_F(UpgradeTest, OtherUpgradesAreNotAskedFor) {
  const std::string_view requests[] = {
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
      "Upgrade: websocket\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
      "Content-Length: 0\r\n\r\n",
  };
  FakeServer server;
  start_with(server);
  for (const std::string_view request : requests) {
    Peer client = connect_and_send(request);
    if (server.peers.empty()) accept(server);
    Peer& peer = server.peers[0];
    ASSERT_TRUE(receives(peer, "\r\n\r\n"));
    EXPECT_EQ(peer.in.find("pgrade"), std::string::npos) << peer.in;
    peer.send(test::kOk);
    ASSERT_TRUE(receives(client, "ok"));
    peer.in.clear();
  }
}

constexpr std::string_view kAsksWithBody =
    "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n";

// RFC 9110 7.8: a 100 that is expected comes before the 101.
TEST_F(UpgradeTest, ABodyComesBeforeTheTunnel) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kAsksWithBody);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  EXPECT_TRUE(peer.has("\r\nUpgrade: websocket\r\n"));
  peer.send("HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  client.in.clear();
  client.send("bodyearly");
  ASSERT_TRUE(receives(peer, "\r\n\r\nbody"));
  peer.send(kSwitches);
  ASSERT_TRUE(receives(client, kSwitches));
  ASSERT_TRUE(receives(peer, "\r\n\r\nbodyearly"));
  client.close();
  peer.close();
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(last_logged().bytes_received, 9u);
}

TEST_F(UpgradeTest, ASwitchWithinTheBodyIsABadResponse) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(std::string(kAsksWithBody) + "bo");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\nbo"));
  peer.send(kSwitches);
  ASSERT_TRUE(receives(client, "HTTP/1.1 502 "));
  EXPECT_TRUE(ends(peer));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::bad_response);
}

TEST_F(UpgradeTest, ASwitchThatNobodyAskedForIsABadResponse) {
  const std::pair<std::string_view, std::string_view> exchanges[] = {
      {test::kGet, kSwitches},
      {kAsks, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"},
      {kAsks, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"},
  };
  for (const auto& [request, response] : exchanges) {
    FakeServer server;
    backend_.servers.clear();
    start_with(server);
    Peer client = connect_and_send(request);
    Peer& peer = accept(server);
    ASSERT_TRUE(receives(peer, "\r\n\r\n"));
    peer.send(response);
    ASSERT_TRUE(receives(client, "HTTP/1.1 502 "));
    EXPECT_TRUE(ends(peer));
    EXPECT_EQ(last_logged().reason.kind, ErrorKind::bad_response);
    client.close();
    ASSERT_TRUE(has_no_connections());
    proxy_.reset();
  }
}

TEST_F(UpgradeTest, AnIdleTunnelEnds) {
  FakeServer server;
  listener_.timeouts.tunnel_idle = 30ms;
  start_with(server);
  Peer client = connect();
  Peer& peer = open(server, client);
  EXPECT_TRUE(ends(client));
  EXPECT_TRUE(ends(peer));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::tunnel_idle_timeout);
}

TEST_F(UpgradeTest, AResetOfEitherSideReachesTheOther) {
  for (const bool is_of_client : {false, true}) {
    FakeServer server;
    backend_.servers.clear();
    start_with(server);
    Peer client = connect();
    Peer& peer = open(server, client);
    (is_of_client ? client : peer).reset();
    EXPECT_TRUE(is_reset(is_of_client ? peer : client));
    ASSERT_TRUE(has_no_connections());
    EXPECT_EQ(leases(), 0u);
    proxy_.reset();
  }
}

TEST_F(UpgradeTest, ADrainLetsATunnelRunAndAnAbortEndsIt) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  Peer& peer = open(server, client);
  proxy_->drain();
  worker_.turn_a_little();
  client.send("during");
  ASSERT_TRUE(receives(peer, "during"));
  proxy_->abort_all();
  EXPECT_TRUE(turn_until([&] { return proxy_->is_drained(); }));
  EXPECT_TRUE(ends(client));
  EXPECT_TRUE(ends(peer));
}

}  // namespace
}  // namespace weir::proxy
