// Exchanges that fail, on either side and at any point: who sees what of it.

#include "proxy/http/serve_http_test_support.h"

namespace weir::proxy {
namespace {

using test::ClosedPort;
using test::FakeServer;
using test::kGet;
using test::kOk;
using test::Peer;
using namespace std::chrono_literals;

class ServeExchangeTest : public test::HttpFixture {};

TEST_F(ServeExchangeTest, AServerThatRefusesIsNeverSeenByTheClient) {
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

TEST_F(ServeExchangeTest, WhenAllServersRefuseItIsA502) {
  const ClosedPort one;
  const ClosedPort two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  backend_.retry.attempts = 5;
  start();
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(receives(client, "reason: connect_refused\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
  const test::Logged line = last_logged();
  EXPECT_EQ(line.attempts, 5);  // each is asked again
  EXPECT_EQ(line.status, 502);
  EXPECT_EQ(line.reason.side, Side::server);
  // The connection goes on.
  client.in.clear();
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  EXPECT_TRUE(client.in.ends_with("\r\n\r\n"));
}

TEST_F(ServeExchangeTest, GarbageFromAServerIsA502AndNotSentAgain) {
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

TEST_F(ServeExchangeTest, AnAnsweredUpgradeIsABadResponse) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  ASSERT_TRUE(receives(client, "502 Bad Gateway"));
}

TEST_F(ServeExchangeTest, AServerThatAcceptsNoConnectionInTimeIsA504) {
  const net::test::SilentPort silent;
  add_server(silent.address);
  backend_.timeouts.connect = 10ms;
  start();
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(receives(client, "reason: connect_timeout\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 504 "));
}

TEST_F(ServeExchangeTest, AServerThatSendsNoHeadInTimeIsA504) {
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

TEST_F(ServeExchangeTest, AnIdempotentRequestIsSentToAnotherServerAfterATimeout) {
  FakeServer one;
  FakeServer two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  backend_.timeouts.response_head = 500ms;
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
TEST_F(ServeExchangeTest, AnUploadMayTakeLongerThanTheResponseHead) {
  FakeServer server;
  backend_.timeouts.response_head = 100ms;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
  Peer& peer = accept(server);
  for (int i = 0; i < 10; ++i) {
    const TimePoint until = worker_->now() + 20ms;
    ASSERT_TRUE(turn_until([&] { return worker_->now() > until; }));
    client.send("b");
  }
  ASSERT_TRUE(receives(peer, "bbbbbbbbbb"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));

  // And then it runs.
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n");
  const TimePoint until = worker_->now() + 150ms;
  ASSERT_TRUE(turn_until([&] { return worker_->now() > until; }));
  const TimePoint sent = worker_->now();
  client.send("b");
  ASSERT_TRUE(receives(client, "reason: response_head_timeout\n"));
  EXPECT_GE(worker_->now() - sent, 99ms);
}

TEST_F(ServeExchangeTest, AServerThatFallsSilentWithinABodyResetsTheClient) {
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

TEST_F(ServeExchangeTest, AServerThatTakesNothingOfARequestIsA504) {
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

TEST_F(ServeExchangeTest, ABodyOverTheLimitIsA413) {
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

TEST_F(ServeExchangeTest, AClientThatTakesNothingOfAResponseIsResetInTheEnd) {
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

TEST_F(ServeExchangeTest, AServerThatDiesWithinABodyLeavesATruncatedResponseAndAReset) {
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
TEST_F(ServeExchangeTest, ABrokenOffResponseIsNeverTakenForAWholeOne) {
  FakeServer server;
  start_with(server);
  const std::string response = "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 6\r\n\r\nabcdef";
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

TEST_F(ServeExchangeTest, ADeadPooledConnectionIsReplacedForAnIdempotentRequest) {
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

TEST_F(ServeExchangeTest, ADeadPooledConnectionIsA502ForAnyOtherRequest) {
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
TEST_F(ServeExchangeTest, ASmallBodyIsSentAgainWhenTheServerDiedBeforeItAnswered) {
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

TEST_F(ServeExchangeTest, ABodyThatMayHaveHadItsEffectIsNotSentAgain) {
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

TEST_F(ServeExchangeTest, AConnectionThatTheServerEndedWhileIdleIsNotUsed) {
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

TEST_F(ServeExchangeTest, AClientsResetEndsTheAttemptAtOnce) {
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

TEST_F(ServeExchangeTest, AClientsResetEndsAConnectAtOnce) {
  const net::test::SilentPort silent;
  add_server(silent.address);
  backend_.timeouts.connect = 1h;
  start();
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(turn_until([&] { return leases() == 1; }));
  client.reset();
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_reset);
}

TEST_F(ServeExchangeTest, AClientsResetWithinABodyEndsTheAttempt) {
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

TEST_F(ServeExchangeTest, AClientThatOnlyShutsItsWritingSideStillGetsItsAnswer) {
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

TEST_F(ServeExchangeTest, AClientThatBreaksItsBodyOffGetsNoAnswer) {
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

TEST_F(ServeExchangeTest, BrokenChunksOfAClientAreA400) {
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

TEST_F(ServeExchangeTest, AnAnswerBeforeTheEndOfTheRequestIsPassedOn) {
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

TEST_F(ServeExchangeTest, AServerThatAnswersAndStopsReadingIsHeard) {
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

TEST_F(ServeExchangeTest, AServerThatDiesDuringAnUploadIsA502) {
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

TEST_F(ServeExchangeTest, AServerThatNeverComesToThePointIsA502) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  Peer& peer = accept(server);
  std::string hints;
  for (int i = 0; i < 100; ++i) hints += "HTTP/1.1 103 Early Hints\r\n\r\n";
  peer.send(hints);
  ASSERT_TRUE(receives(client, "reason: interim_responses_too_many\n"));
}

}  // namespace
}  // namespace weir::proxy
