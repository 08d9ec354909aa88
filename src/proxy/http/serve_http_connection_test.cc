// Whole HTTP connections: what clients and servers see on the wire.

#include <gtest/gtest.h>

#include "proxy/http/exchange.h"
#include "proxy/proxy_test_support.h"

namespace weir::proxy {
namespace {

using test::ClosedPort;
using test::FakeServer;
using test::Peer;
using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ServeHttpTest : public test::ProxyFixture {
 protected:
  ServeHttpTest() : ProxyFixture(&serve_http_connection) {}
};

TEST_F(ServeHttpTest, PassesARequestAndItsResponseOn) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(
      "GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nX-One: 1\r\nConnection: x-hop\r\nX-Hop: h\r\n"
      "\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  EXPECT_EQ(peer.in, "GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nX-One: 1\r\n\r\n");
  peer.send("HTTP/1.1 201 Made\r\nX-Two: 2\r\nContent-Length: 4\r\n\r\nbody");
  ASSERT_TRUE(receives(client, "body"));
  EXPECT_EQ(client.in, "HTTP/1.1 201 Made\r\nX-Two: 2\r\nContent-Length: 4\r\n\r\nbody");
  const test::Logged line = last_logged();
  EXPECT_EQ(line.status, 201);
  EXPECT_EQ(line.attempts, 1);
  EXPECT_EQ(line.target, "/a/b?c=d");
  EXPECT_EQ(line.server, "s");
  EXPECT_EQ(line.bytes_sent, 4u);
  EXPECT_EQ(line.reason, Error{});
  EXPECT_EQ(listener_cells().requests.read(), 1u);
  EXPECT_EQ(listener_cells().responses.classes[1].read(), 1u);
}

TEST_F(ServeHttpTest, KeepsBothConnectionsForTheNextRequest) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    Peer& peer = i == 0 ? accept(server) : server.peers[0];
    ASSERT_TRUE(receives(peer, "\r\n\r\n"));
    peer.in.clear();
    peer.send(kOk);
    ASSERT_TRUE(receives(client, "ok"));
    client.in.clear();
    EXPECT_EQ(leases(), 0u);
  }
  EXPECT_EQ(server.accept_all(), 1u);
  // Nobody speaks: nobody holds a buffer.
  worker_.turn_a_little();
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST_F(ServeHttpTest, ARequestIsTheSameInPiecesOfAnySize) {
  FakeServer server;
  start_with(server);
  const std::string request = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
  for (const std::size_t size : {1, 2, 7, 30}) {
    Peer client = connect();
    for (std::size_t at = 0; at < request.size(); at += size) {
      client.send(std::string_view(request).substr(at, size));
      worker_.turn_a_little();
    }
    Peer& peer = server.accept_all() == 0 ? accept(server) : server.peers[0];
    ASSERT_TRUE(receives(peer, "hello"));
    EXPECT_EQ(peer.in, request);
    peer.in.clear();
    peer.send(kOk);
    ASSERT_TRUE(receives(client, "ok"));
  }
}

TEST_F(ServeHttpTest, AResponseIsTheSameInPiecesOfAnySize) {
  FakeServer server;
  start_with(server);
  const std::string response =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  for (const std::size_t size : {1, 2, 7, 60}) {
    Peer client = connect_and_send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
    Peer& peer = server.accept_all() == 0 ? accept(server) : server.peers[0];
    ASSERT_TRUE(receives(peer, "\r\n\r\n"));
    peer.in.clear();
    for (std::size_t at = 0; at < response.size(); at += size) {
      peer.send(std::string_view(response).substr(at, size));
      worker_.turn_a_little();
    }
    ASSERT_TRUE(ends(client));
    EXPECT_EQ(client.in, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde");
    EXPECT_EQ(client.os_error, 0);
  }
}

TEST_F(ServeHttpTest, AnswersWithoutABodyLeaveBothConnectionsUsable) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  const std::pair<const char*, const char*> exchanges[] = {
      {"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
       "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\nContent-Length: 5\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
  };
  for (const auto& [request, response] : exchanges) {
    client.send(request);
    Peer& peer = server.peers.empty() ? accept(server) : server.peers[0];
    ASSERT_TRUE(receives(peer, "\r\n\r\n"));
    EXPECT_EQ(peer.in, request);
    peer.in.clear();
    peer.send(response);
    ASSERT_TRUE(receives(client, "\r\n\r\n"));
    EXPECT_EQ(client.in, response);
    client.in.clear();
  }
  EXPECT_EQ(server.accept_all(), 1u);
}

TEST_F(ServeHttpTest, PassesAChunkedBodyOn) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "abc\r\n"));
  client.send("2\r\nde\r\n0\r\nTrailer: dropped\r\n\r\n");
  ASSERT_TRUE(receives(peer, "0\r\n\r\n"));
  EXPECT_EQ(peer.in,
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
  ASSERT_TRUE(receives(client, "0\r\n\r\n"));
  EXPECT_EQ(last_logged().bytes_received, 5u);
}

TEST_F(ServeHttpTest, AResponseThatTheCloseEndsIsSentInChunks) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.0 200 OK\r\n\r\nto the end");
  peer.close();
  ASSERT_TRUE(receives(client, "0\r\n\r\n"));
  EXPECT_EQ(client.in,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nto the end\r\n0\r\n\r\n");
  EXPECT_FALSE(client.ended);
}

TEST_F(ServeHttpTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  FakeServer server;
  start_with(server);
  std::string requests;
  std::string answers;
  for (int i = 0; i < 100; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    answers += "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + std::to_string(1000 + i);
  }
  Peer client = connect_and_send(requests);
  Peer& peer = accept(server);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(receives(peer, "GET /" + std::to_string(i) + " HTTP"));
    EXPECT_EQ(peer.in.find("GET", 1), std::string::npos);
    peer.in.clear();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + std::to_string(1000 + i));
  }
  ASSERT_TRUE(receives(client, "1099"));
  EXPECT_EQ(client.in, answers);
}

TEST_F(ServeHttpTest, ARequestThatNoRouteWantsIsA404AndTheConnectionGoesOn) {
  FakeServer server;
  RouteSettings route;
  route.match.path_prefix = {RoutePath{"/api"}};
  listener_.routes.push_back(route);
  start_with(server);
  Peer client = connect_and_send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(receives(client, "reason: no_route\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 404 Not Found\r\nDate: "));
  EXPECT_EQ(client.in.find("Connection: close"), std::string::npos);
  client.send("GET /api/x HTTP/1.1\r\nHost: x\r\n\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "/api/x"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(logged()[0].reason.kind, ErrorKind::no_route);
}

TEST_F(ServeHttpTest, PipelinedRequestsThatWeirAnswersItselfLeaveOthersTheirTurn) {
  FakeServer server;
  RouteSettings route;
  route.match.path_prefix = {RoutePath{"/api"}};
  listener_.routes.push_back(route);
  start_with(server);
  std::string requests;
  for (int i = 0; i < 200; ++i)
    requests += "GET /" + std::to_string(i) + " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  Peer client = connect_and_send(requests);
  const std::uint64_t before = worker_->turns();
  ASSERT_TRUE(turn_until([&] {
    int answers = 0;
    const std::string& in = client.read().in;
    for (std::size_t at = 0; (at = in.find("HTTP/1.1 404", at)) != std::string::npos; ++at) {
      ++answers;
    }
    return answers == 200;
  }));
  EXPECT_GE(worker_->turns() - before, 200u / 16);
}

TEST_F(ServeHttpTest, AServerThatRefusesIsNeverSeenByTheClient) {
  const ClosedPort closed;
  FakeServer server;
  add_server(closed.address, "refuses");
  add_server(server.address, "serves");
  start();
  for (int i = 0; i < 4; ++i) {
    // Bodies are untouched by a connect, so every request may go on.
    Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    Peer& peer = server.peers.empty() ? accept(server) : server.peers[0];
    ASSERT_TRUE(receives(peer, "hi"));
    peer.in.clear();
    peer.send(kOk);
    ASSERT_TRUE(receives(client, "ok"));
  }
  const auto lines = logged();
  ASSERT_EQ(lines.size(), 4u);
  int attempts = 0;
  for (const auto& line : lines) {
    EXPECT_EQ(line.status, 200);
    EXPECT_EQ(line.server, "serves");
    attempts += line.attempts;
  }
  EXPECT_EQ(attempts, 5);  // it is left out after the first refusal
}

TEST_F(ServeHttpTest, WhenAllServersRefuseItIsA502) {
  const ClosedPort one;
  const ClosedPort two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  start();
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(receives(client, "reason: connect_refused\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
  const test::Logged line = last_logged();
  EXPECT_EQ(line.attempts, 2);
  EXPECT_EQ(line.status, 502);
  EXPECT_EQ(line.reason.side, Side::server);
  // The connection goes on.
  client.in.clear();
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  EXPECT_TRUE(client.in.ends_with("\r\n\r\n"));
}

TEST_F(ServeHttpTest, GarbageFromAServerIsA502AndNotSentAgain) {
  FakeServer one;
  FakeServer two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  start();
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(one);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("SSH-2.0-OpenSSH\r\n");
  ASSERT_TRUE(receives(client, "reason: bad_response\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 502 "));
  EXPECT_TRUE(ends(peer));
  EXPECT_EQ(two.accept_all(), 0u);
}

TEST_F(ServeHttpTest, AnAnsweredUpgradeIsABadResponse) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  ASSERT_TRUE(receives(client, "502 Bad Gateway"));
}

TEST_F(ServeHttpTest, AServerThatAcceptsNoConnectionInTimeIsA504) {
  const Fd listening = net::test::listening_socket(0);
  const net::Address address = net::test::local_address(listening.get());
  const Peer fills_the_queue = net::test::connect_peer(address);
  add_server(address);
  backend_.timeouts.connect = 10ms;
  start();
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(receives(client, "reason: connect_timeout\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 504 "));
}

TEST_F(ServeHttpTest, AServerThatSendsNoHeadInTimeIsA504) {
  FakeServer server;
  backend_.timeouts.response_head = 20ms;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  peer.send("HTTP/1.1 200 OK\r\n");
  ASSERT_TRUE(receives(client, "reason: response_head_timeout\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 504 "));
  EXPECT_TRUE(ends(peer));
}

TEST_F(ServeHttpTest, AnIdempotentRequestIsSentToAnotherServerAfterATimeout) {
  FakeServer one;
  FakeServer two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  backend_.timeouts.response_head = 20ms;
  start();
  Peer client = connect_and_send(kGet);
  Peer& silent = accept(one);
  Peer& other = accept(two);
  ASSERT_TRUE(receives(other, "\r\n\r\n"));
  other.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_TRUE(ends(silent));
  EXPECT_EQ(last_logged().attempts, 2);
}

// The time of the response head begins when the request has been sent.
TEST_F(ServeHttpTest, AnUploadMayTakeLongerThanTheResponseHead) {
  FakeServer server;
  backend_.timeouts.response_head = 30ms;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
  Peer& peer = accept(server);
  for (int i = 0; i < 10; ++i) {
    const TimePoint until = worker_->now() + 10ms;
    ASSERT_TRUE(turn_until([&] { return worker_->now() > until; }));
    client.send("b");
  }
  ASSERT_TRUE(receives(peer, "bbbbbbbbbb"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));

  // And then it runs.
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n");
  const TimePoint until = worker_->now() + 50ms;
  ASSERT_TRUE(turn_until([&] { return worker_->now() > until; }));
  const TimePoint sent = worker_->now();
  client.send("b");
  ASSERT_TRUE(receives(client, "reason: response_head_timeout\n"));
  EXPECT_GE(worker_->now() - sent, 29ms);
}

TEST_F(ServeHttpTest, AServerThatFallsSilentWithinABodyResetsTheClient) {
  FakeServer server;
  backend_.timeouts.server_body = 20ms;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  EXPECT_TRUE(is_reset(client));
  EXPECT_TRUE(client.in.ends_with("half"));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::response_body_timeout);
}

TEST_F(ServeHttpTest, AServerThatTakesNothingOfARequestIsA504) {
  FakeServer server;
  backend_.timeouts.server_body = 30ms;
  start_with(server);
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
  Peer client = connect_and_send(head);
  const std::string block(256 * 1024, 'b');
  ASSERT_TRUE(turn_until([&] {
    client.try_send(block);
    return client.has("reason: server_write_timeout\n");
  }));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 504 "));
}

TEST_F(ServeHttpTest, ABodyOverTheLimitIsA413) {
  FakeServer server;
  listener_.limits.body_bytes = ByteCount{10};
  start_with(server);
  Peer announced = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
  ASSERT_TRUE(receives(announced, "reason: body_too_large\n"));
  EXPECT_TRUE(announced.in.starts_with("HTTP/1.1 413 "));
  EXPECT_NE(announced.in.find("Connection: close"), std::string::npos);
  EXPECT_EQ(server.accept_all(), 0u);

  Peer chunked = connect_and_send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "0123456789"));
  chunked.send("1\r\nX\r\n");
  ASSERT_TRUE(receives(chunked, "reason: body_too_large\n"));
  EXPECT_TRUE(ends(peer));
  EXPECT_EQ(peer.in.find('X'), std::string::npos);
}

TEST_F(ServeHttpTest, AClientThatIsTooSlowIsA408) {
  FakeServer server;
  listener_.timeouts.client_head = 20ms;
  listener_.timeouts.client_body = 20ms;
  start_with(server);
  Peer head = connect_and_send("GET / HT");
  ASSERT_TRUE(receives(head, "reason: client_head_timeout\n"));
  EXPECT_TRUE(head.in.starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(ends(head));
  EXPECT_EQ(server.accept_all(), 0u);

  Peer body = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(body, "reason: client_body_timeout\n"));
  EXPECT_TRUE(body.in.starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(ends(peer));
}

TEST_F(ServeHttpTest, AClientThatSaysNothingIsClosedWithoutAnAnswer) {
  FakeServer server;
  listener_.timeouts.client_head = 20ms;
  listener_.timeouts.keep_alive = 10ms;
  start_with(server);
  Peer silent = connect();
  EXPECT_TRUE(ends(silent));
  EXPECT_EQ(silent.in, "");
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(client.os_error, 0);
  EXPECT_EQ(listener_cells().requests.read(), 1u);
}

TEST_F(ServeHttpTest, AClientThatTakesNothingOfAResponseIsResetInTheEnd) {
  FakeServer server;
  listener_.timeouts.client_body = 50ms;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
  const std::string block(256 * 1024, 'b');
  ASSERT_TRUE(turn_until([&] {
    peer.try_send(block);
    return peer.os_error != 0;
  }));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_write_timeout);
}

TEST_F(ServeHttpTest, ABadRequestIsA400ThatArrivesThoughMoreWasSent) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n" +
                                 std::string(40'000, 'x'));
  ASSERT_TRUE(turn_until([&] { return client.read().ended; }));
  EXPECT_EQ(client.os_error, 0);
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_NE(client.in.find("Connection: close\r\n"), std::string::npos);
  // What is sent behind it is read and dropped, for a while.
  client.send(std::string(10'000, 'y'));
  client.shutdown_write();
  EXPECT_TRUE(has_no_connections());
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::bad_request);
}

TEST_F(ServeHttpTest, AHeadOverItsLimitsIsA431ThatSaysClose) {
  FakeServer server;
  listener_.limits.head_bytes = ByteCount{1024};
  start_with(server);
  Peer client = connect_and_send("GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(2000, 'a'));
  ASSERT_TRUE(receives(client, "reason: head_too_large\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 431 "));
  EXPECT_NE(client.in.find("Connection: close\r\n"), std::string::npos);
}

TEST_F(ServeHttpTest, MethodsThatAreNotForwardedAre501) {
  FakeServer server;
  start_with(server);
  for (const char* request :
       {"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    Peer client = connect_and_send(request);
    ASSERT_TRUE(receives(client, "reason: method_refused\n"));
    EXPECT_TRUE(client.in.starts_with("HTTP/1.1 501 "));
  }
}

TEST_F(ServeHttpTest, AServerThatDiesWithinABodyLeavesATruncatedResponseAndAReset) {
  for (const char* response :
       {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"}) {
    FakeServer server;
    backend_.servers.clear();
    start_with(server);
    Peer client = connect_and_send(kGet);
    Peer& peer = accept(server);
    ASSERT_TRUE(receives(peer, "\r\n\r\n"));
    peer.send(response);
    ASSERT_TRUE(receives(client, "half"));
    peer.close();
    EXPECT_TRUE(is_reset(client));
    EXPECT_TRUE(client.in.ends_with("half") || client.in.ends_with("half\r\n")) << client.in;
    EXPECT_EQ(last_logged().reason.kind, ErrorKind::server_closed);
    ASSERT_TRUE(has_no_connections());
    EXPECT_EQ(leases(), 0u);
    proxy_.reset();
  }
}

// Wherever the response breaks off, the client gets a 502 or something that it cannot take for a
// whole response.
TEST_F(ServeHttpTest, ABrokenOffResponseIsNeverTakenForAWholeOne) {
  FakeServer server;
  start_with(server);
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef";
  for (std::size_t cut = 1; cut < response.size(); ++cut) {
    Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    Peer& peer = accept(server);
    ASSERT_TRUE(receives(peer, "\r\n\r\n"));
    peer.send(std::string_view(response).substr(0, cut));
    peer.close();
    ASSERT_TRUE(turn_until([&] { return client.is_over() || client.has("reason: "); }));
    if (client.has("reason: ")) {
      EXPECT_TRUE(client.in.starts_with("HTTP/1.1 502 Bad Gateway\r\n")) << client.in;
    } else {
      EXPECT_EQ(client.os_error, ECONNRESET);
      EXPECT_TRUE(response.substr(0, cut).starts_with(client.in));
    }
  }
}

TEST_F(ServeHttpTest, ADeadPooledConnectionIsReplacedForAnIdempotentRequest) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& first = accept(server);
  ASSERT_TRUE(receives(first, "\r\n\r\n"));
  first.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  client.in.clear();
  first.in.clear();
  client.send(kGet);
  // It reads the request and dies: nobody knows whether it did anything.
  ASSERT_TRUE(receives(first, "\r\n\r\n"));
  first.close();
  Peer& second = accept(server);
  ASSERT_TRUE(receives(second, "\r\n\r\n"));
  second.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  const auto lines = logged();
  EXPECT_EQ(lines.back().attempts, 2);
  EXPECT_EQ(lines.back().status, 200);
}

TEST_F(ServeHttpTest, ADeadPooledConnectionIsA502ForAnyOtherRequest) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  peer.in.clear();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  ASSERT_TRUE(receives(peer, "hi"));
  peer.close();
  ASSERT_TRUE(receives(client, "reason: server_closed\n"));
  EXPECT_EQ(server.accept_all(), 1u);
}

// The servers answer in turn: the first reads the whole request and dies.
TEST_F(ServeHttpTest, ASmallBodyIsSentAgainWhenTheServerDiedBeforeItAnswered) {
  FakeServer one;
  FakeServer two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  start();
  for (const char* body : {"Content-Length: 5\r\n\r\nhello",
                           "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}) {
    const std::string request = std::string("PUT / HTTP/1.1\r\nHost: x\r\n") + body;
    Peer client = connect_and_send(request);
    Peer& dies = one.handed_out <= two.handed_out ? accept(one) : accept(two);
    ASSERT_TRUE(receives(dies, "hello"));
    dies.close();
    Peer& answers = one.handed_out <= two.handed_out ? accept(one) : accept(two);
    ASSERT_TRUE(turn_until([&] { return answers.read().in.size() >= request.size(); }));
    EXPECT_EQ(answers.in, request);
    answers.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    ASSERT_TRUE(receives(client, "ok"));
    const test::Logged line = last_logged();
    EXPECT_EQ(line.attempts, 2);
    EXPECT_EQ(line.bytes_received, 5u);
  }
}

TEST_F(ServeHttpTest, ABodyThatMayHaveHadItsEffectIsNotSentAgain) {
  FakeServer one;
  FakeServer two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  start();
  const std::string large(100'000, 'b');
  int sent = 0;
  for (const std::string& request :
       {std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"),
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + large}) {
    Peer client = connect_and_send(request);
    Peer& dies = sent++ == 0 ? accept(one) : accept(two);
    ASSERT_TRUE(turn_until([&] { return dies.read().in.size() == request.size(); }));
    dies.close();
    ASSERT_TRUE(receives(client, "reason: server_closed\n"));
    EXPECT_EQ(last_logged().attempts, 1);
  }
  EXPECT_EQ(one.accept_all() + two.accept_all(), 2u);
}

TEST_F(ServeHttpTest, AConnectionThatTheServerEndedWhileIdleIsNotUsed) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  for (int i = 0; i < 3; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    Peer& peer = accept(server);
    ASSERT_TRUE(receives(peer, "hi"));
    peer.send(kOk);
    ASSERT_TRUE(receives(client, "ok"));
    client.in.clear();
    peer.close();
    worker_.turn_a_little();
  }
}

TEST_F(ServeHttpTest, AClientsResetEndsTheAttemptAtOnce) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  EXPECT_EQ(leases(), 1u);
  client.reset();
  EXPECT_TRUE(ends(peer));
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(leases(), 0u);
  const test::Logged line = last_logged();
  EXPECT_EQ(line.status, 0);
  EXPECT_EQ(line.reason.kind, ErrorKind::client_reset);
  EXPECT_EQ(line.attempts, 1);
}

TEST_F(ServeHttpTest, AClientsResetEndsAConnectAtOnce) {
  const Fd listening = net::test::listening_socket(0);
  const net::Address address = net::test::local_address(listening.get());
  const Peer fills_the_queue = net::test::connect_peer(address);
  add_server(address);
  backend_.timeouts.connect = 1h;
  start();
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(turn_until([&] { return leases() == 1; }));
  client.reset();
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_reset);
}

TEST_F(ServeHttpTest, AClientsResetWithinABodyEndsTheAttempt) {
  FakeServer server;
  start_with(server);
  Peer uploading = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhi");
  Peer& first = accept(server);
  ASSERT_TRUE(receives(first, "hi"));
  uploading.reset();
  EXPECT_TRUE(ends(first));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_reset);

  Peer downloading = connect_and_send(kGet);
  Peer& second = accept(server);
  ASSERT_TRUE(receives(second, "\r\n\r\n"));
  second.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  ASSERT_TRUE(receives(downloading, "half"));
  downloading.reset();
  EXPECT_TRUE(ends(second));
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_reset);
  EXPECT_EQ(leases(), 0u);
}

TEST_F(ServeHttpTest, AClientThatOnlyShutsItsWritingSideStillGetsItsAnswer) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  client.shutdown_write();
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  worker_.turn_a_little();
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(last_logged().reason, Error{});
}

TEST_F(ServeHttpTest, AClientThatBreaksItsBodyOffGetsNoAnswer) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhi");
  client.shutdown_write();
  Peer& peer = accept(server);
  EXPECT_TRUE(ends(peer));
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(client.in, "");
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_closed);
}

TEST_F(ServeHttpTest, BrokenChunksOfAClientAreA400) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "hi"));
  client.send("zz\r\n");
  ASSERT_TRUE(receives(client, "reason: bad_request_body\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ends(peer));
  EXPECT_FALSE(peer.has("0\r\n\r\n"));
}

TEST_F(ServeHttpTest, AnAnswerBeforeTheEndOfTheRequestIsPassedOn) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nhi");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "hi"));
  peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  ASSERT_TRUE(receives(client, "\r\n\r\nno"));
  EXPECT_EQ(leases(), 0u);
  EXPECT_TRUE(ends(peer));
  EXPECT_TRUE(turn_until([&] { return client.read().ended; }));
  EXPECT_EQ(last_logged().status, 403);
}

TEST_F(ServeHttpTest, AServerThatAnswersAndStopsReadingIsHeard) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nhi");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "hi"));
  peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
  peer.close();
  client.send("more");
  ASSERT_TRUE(receives(client, "HTTP/1.1 413 Content Too Large\r\n"));
}

TEST_F(ServeHttpTest, AServerThatDiesDuringAnUploadIsA502) {
  for (const bool by_reset : {false, true}) {
    FakeServer server;
    backend_.servers.clear();
    start_with(server);
    Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nhi");
    Peer& peer = accept(server);
    ASSERT_TRUE(receives(peer, "hi"));
    by_reset ? peer.reset() : peer.close();
    ASSERT_TRUE(receives(client, "reason: server_"));
    EXPECT_TRUE(client.in.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    EXPECT_NE(client.in.find("Connection: close"), std::string::npos);
    client.close();
    ASSERT_TRUE(has_no_connections());
    proxy_.reset();
  }
}

TEST_F(ServeHttpTest, InterimResponsesArePassedOnToWhoKnowsThem) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(receives(client, "HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("hi");
  ASSERT_TRUE(receives(peer, "hi"));
  peer.send(
      "HTTP/1.1 103 Early Hints\r\nLink: l\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(client.in,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: l\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(listener_cells().responses.classes[1].read(), 1u);
  EXPECT_EQ(listener_cells().responses.classes[0].read(), 0u);

  Peer old = connect_and_send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(receives(peer, "GET / "));
  peer.send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  ASSERT_TRUE(receives(old, "ok"));
  EXPECT_TRUE(old.in.starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ServeHttpTest, AServerThatNeverComesToThePointIsA502) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  Peer& peer = accept(server);
  std::string hints;
  for (int i = 0; i < 100; ++i) hints += "HTTP/1.1 103 Early Hints\r\n\r\n";
  peer.send(hints);
  ASSERT_TRUE(receives(client, "reason: bad_response\n"));
}

TEST_F(ServeHttpTest, AClientOfHttp10WithoutAHostIsServed) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("GET /old HTTP/1.0\r\n\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  EXPECT_EQ(peer.in, "GET /old HTTP/1.1\r\nHost: " + server.address.to_string() + "\r\n\r\n");
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(client.os_error, 0);
}

TEST_F(ServeHttpTest, AConnectionEndsAfterAsManyRequestsAsItMayCarry) {
  const ClosedPort closed;
  listener_.limits.requests_per_connection = 2;
  add_server(closed.address);
  start();
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(receives(client, "reason: connect_refused\n"));
  EXPECT_EQ(client.in.find("Connection: close"), std::string::npos);
  client.in.clear();
  client.send(kGet);
  ASSERT_TRUE(receives(client, "reason: connect_refused\n"));
  EXPECT_NE(client.in.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(ends(client));
}

TEST_F(ServeHttpTest, ALargeBodyPassesASlowClientInBoundedMemory) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  constexpr std::size_t kBytes = std::size_t{50} << 20;
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kBytes) + "\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  client.in.clear();
  const std::string block(256 * 1024, 'b');
  std::size_t sent = 0;
  std::size_t received = 0;
  std::size_t most = 0;
  ASSERT_TRUE(turn_until([&] {
    if (sent < kBytes) {
      sent += peer.try_send(std::string_view(block).substr(0, kBytes - sent));
    }
    received += std::exchange(client.read(200 * 1024).in, {}).size();
    most = std::max(most, worker_.buffer_bytes());
    return received == kBytes;
  }));
  // What a short send left over, both heads and the arena.
  EXPECT_LE(most, BufferPool::kLargest + std::size_t{64} * 1024);
  EXPECT_EQ(last_logged().bytes_sent, kBytes);
}

TEST_F(ServeHttpTest, ALargeUploadPassesUnchanged) {
  FakeServer server;
  start_with(server);
  std::string body;
  for (int i = 0; body.size() < (std::size_t{8} << 20); ++i) body += std::to_string(i);
  const std::string request =
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
      body;
  Peer client = connect();
  std::size_t sent = client.try_send(request);
  Peer& peer = accept(server);
  ASSERT_TRUE(turn_until([&] {
    if (sent < request.size()) sent += client.try_send(std::string_view(request).substr(sent));
    return peer.read(300 * 1024).in.size() >= request.size();
  }));
  EXPECT_EQ(peer.in, request);
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().bytes_received, body.size());
}

TEST_F(ServeHttpTest, WithoutBuffersARequestEndsButNothingElse) {
  // As many connections as fit hold a partial head each.
  FakeServer server;
  start_with(server);
  std::vector<Buffer> taken;
  for (Buffer buffer = worker_->buffers().take(BufferPool::kSmallest); buffer;
       buffer = worker_->buffers().take(BufferPool::kSmallest)) {
    taken.push_back(std::move(buffer));
  }
  Peer client = connect_and_send(kGet);
  EXPECT_TRUE(ends(client));
  taken.clear();
  Peer next = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send(kOk);
  ASSERT_TRUE(receives(next, "ok"));
}

}  // namespace
}  // namespace weir::proxy
