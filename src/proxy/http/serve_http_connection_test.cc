// Whole HTTP connections: what clients and servers see on the wire.

#include "proxy/http/serve_http_test_support.h"

namespace weir::proxy {
namespace {

using test::ClosedPort;
using test::FakeServer;
using test::kGet;
using test::kOk;
using test::Peer;
using namespace std::chrono_literals;

class ServeHttpTest : public test::HttpFixture {};

TEST_F(ServeHttpTest, PassesARequestAndItsResponseOn) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(
      "GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nX-One: 1\r\nConnection: x-hop\r\nX-Hop: h\r\n"
      "\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  EXPECT_EQ(peer.in, "GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nX-One: 1\r\n\r\n");
  peer.send("HTTP/1.1 201 Made\r\nDate: d\r\nX-Two: 2\r\nContent-Length: 4\r\n\r\nbody");
  ASSERT_TRUE(receives(client, "body"));
  EXPECT_EQ(client.in, "HTTP/1.1 201 Made\r\nDate: d\r\nX-Two: 2\r\nContent-Length: 4\r\n\r\nbody");
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
      "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
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
    EXPECT_EQ(client.in, "HTTP/1.1 200 OK\r\nDate: d\r\nConnection: close\r\n\r\nabcde");
    EXPECT_EQ(client.os_error, 0);
  }
}

TEST_F(ServeHttpTest, AnswersWithoutABodyLeaveBothConnectionsUsable) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  const std::pair<const char*, const char*> exchanges[] = {
      {"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
       "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 1000\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 204 No Content\r\nDate: d\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
       "HTTP/1.1 304 Not Modified\r\nDate: d\r\nETag: \"e\"\r\nContent-Length: 5\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
       "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 0\r\n\r\n"},
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
  client.send("2\r\nde\r\n0\r\nChecksum: 1\r\nContent-Length: 7\r\n\r\n");
  ASSERT_TRUE(receives(peer, "0\r\nChecksum: 1\r\n\r\n"));
  EXPECT_EQ(peer.in,
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n2\r\nde\r\n0\r\nChecksum: 1\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n");
  ASSERT_TRUE(receives(client, "2\r\nok\r\n0\r\nA: b\r\n\r\n"));
  EXPECT_EQ(last_logged().bytes_received, 5u);
}

TEST_F(ServeHttpTest, AResponseThatTheCloseEndsIsSentInChunks) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.0 200 OK\r\nDate: d\r\n\r\nto the end");
  peer.close();
  ASSERT_TRUE(receives(client, "0\r\n\r\n"));
  EXPECT_EQ(client.in,
            "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\na\r\nto the "
            "end\r\n0\r\n\r\n");
  EXPECT_FALSE(client.ended);
}

TEST_F(ServeHttpTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  FakeServer server;
  start_with(server);
  std::string requests;
  std::string answers;
  for (int i = 0; i < 100; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    answers += "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 4\r\n\r\n" + std::to_string(1000 + i);
  }
  Peer client = connect_and_send(requests);
  Peer& peer = accept(server);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(receives(peer, "GET /" + std::to_string(i) + " HTTP"));
    EXPECT_EQ(peer.in.find("GET", 1), std::string::npos);
    peer.in.clear();
    peer.send("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 4\r\n\r\n" + std::to_string(1000 + i));
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
      "HTTP/1.1 103 Early Hints\r\nLink: l\r\n\r\nHTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: "
      "2\r\n\r\nok");
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(client.in,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: l\r\n\r\n"
            "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(listener_cells().responses.classes[1].read(), 1u);
  EXPECT_EQ(listener_cells().responses.classes[0].read(), 0u);

  Peer old = connect_and_send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(receives(peer, "GET / "));
  peer.send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  ASSERT_TRUE(receives(old, "ok"));
  EXPECT_TRUE(old.in.starts_with("HTTP/1.1 200 OK\r\n"));
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
