// buffer_request and buffer_response over whole connections.

#include <gtest/gtest.h>

#include "filter/buffer_request.h"
#include "filter/buffer_response.h"
#include "proxy/http/serve_http_test_support.h"

namespace weir::filter {
namespace {

using namespace std::chrono_literals;
using proxy::test::ClosedPort;
using proxy::test::FakeServer;
using proxy::test::kGet;
using proxy::test::kOk;
using proxy::test::Peer;

class BufferingTest : public proxy::test::HttpFixture {
 protected:
  BufferingTest() {
    backend_.retry.backoff = 0s;
    request_.memory = response_.memory = ByteCount(1'000);
    request_.folder = response_.folder = std::string("/tmp");
  }
  void start_buffering(FakeServer& server) {
    use_filters();
    start_with(server);
  }
  void use_filters() {
    const config::Position here;
    filters_ = std::make_shared<const proxy::FilterChain>(
        proxy::Filters{std::make_shared<const BufferRequest>("buffer_request", here, request_),
                       std::make_shared<const BufferResponse>("buffer_response", here, response_)});
  }
  bool send_all(Peer& peer, std::string_view text) {
    return turn_until([&] {
      text.remove_prefix(peer.try_send(text));
      return text.empty() || peer.os_error != 0;
    });
  }
  // Four times what Linux lets the send buffer of a socket grow to on its own, so that the most of
  // it cannot be in the kernel, between Weir and a client that does not read.
  static constexpr std::size_t kLarge = std::size_t{16} << 20;
  static std::string large_response() {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kLarge) + "\r\n\r\n" +
           std::string(kLarge - 3, 'x') + "end";
  }
  bool is_at_rest() {
    return turn_until([&] { return leases() == 0; });
  }

  BufferRequestSettings request_;
  BufferResponseSettings response_;
};

TEST_F(BufferingTest, AClientThatDoesNotReadHoldsNoServer) {
  FakeServer server;
  start_buffering(server);
  Peer client = connect_and_send(kGet);
  Peer& first = accept(server);
  ASSERT_TRUE(receives(first, "\r\n\r\n"));
  ASSERT_TRUE(send_all(first, large_response()));
  ASSERT_TRUE(is_at_rest());
  // The server's connection serves the next one, while the first still does not read.
  Peer other = connect_and_send(kGet);
  first.in.clear();
  ASSERT_TRUE(receives(first, "\r\n\r\n"));
  first.send(kOk);
  ASSERT_TRUE(receives(other, "ok"));
  EXPECT_EQ(last_logged().bytes_sent, 2u);
  ASSERT_TRUE(receives(client, "end"));
  const auto line = last_logged();
  EXPECT_EQ(line.status, 200);
  EXPECT_EQ(line.bytes_sent, kLarge);
  EXPECT_EQ(line.reason.kind, ErrorKind::none);
  // And its own connection goes on.
  client.in.clear();
  client.send(kGet);
  first.in.clear();
  ASSERT_TRUE(receives(first, "\r\n\r\n"));
  first.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
}

TEST_F(BufferingTest, AClientGetsWhatThereIsAtOnce) {
  FakeServer server;
  start_buffering(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  peer.send("5\r\nfirst\r\n");
  ASSERT_TRUE(receives(client, "first"));
  peer.send("6\r\nsecond\r\n0\r\nX-Sum: 42\r\n\r\n");
  ASSERT_TRUE(receives(client, "second\r\n0\r\nX-Sum: 42\r\n\r\n"));
}

TEST_F(BufferingTest, OfABodyThatBreaksOffTheClientGetsWhatCame) {
  FakeServer server;
  start_buffering(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome of it");
  peer.close();
  ASSERT_TRUE(receives(client, "some of it"));
  ASSERT_TRUE(ends(client));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::server_closed);
}

TEST_F(BufferingTest, AClientThatGoesAwayEndsTheAttempt) {
  FakeServer server;
  response_.disk = ByteCount(0);
  start_buffering(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  const std::string response = large_response();
  std::string_view rest = response;
  for (std::size_t sent = 1; sent != 0;) {
    sent = peer.try_send(rest);
    rest.remove_prefix(sent);
    worker_.turn_a_little();
  }
  client.reset();
  ASSERT_TRUE(ends(peer));
  EXPECT_TRUE(is_at_rest());
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_reset);
}

TEST_F(BufferingTest, AClientThatGoesAwayAfterwardsCostsTheServerNothing) {
  FakeServer server;
  start_buffering(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  ASSERT_TRUE(send_all(peer, large_response()));
  ASSERT_TRUE(is_at_rest());
  client.reset();
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_reset);
  Peer other = connect_and_send(kGet);
  peer.in.clear();
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send(kOk);
  ASSERT_TRUE(receives(other, "ok"));
}

TEST_F(BufferingTest, AServerIsAskedWhenTheWholeBodyIsThere) {
  FakeServer server;
  start_buffering(server);
  Peer client =
      connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.send("5\r\nfirst\r\n");
  worker_.turn_a_little();
  EXPECT_EQ(server.accept_all(), 0u);
  EXPECT_EQ(leases(), 0u);
  client.send("6\r\nsecond\r\n0\r\n\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "firstsecond"));
  EXPECT_TRUE(peer.in.contains("Content-Length: 11\r\n")) << peer.in;
  EXPECT_FALSE(peer.in.contains("Transfer-Encoding")) << peer.in;
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
}

TEST_F(BufferingTest, TrailersOfARequestArePassedOn) {
  FakeServer server;
  start_buffering(server);
  Peer client = connect_and_send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.send("4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
}

TEST_F(BufferingTest, AClientThatAsksFirstIsToldToGoOn) {
  FakeServer server;
  start_buffering(server);
  Peer client = connect_and_send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(receives(client, "HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("body");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "body"));
  EXPECT_FALSE(peer.in.contains("Expect")) << peer.in;
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
}

// More than is kept without the filter.
TEST_F(BufferingTest, ALargeBodyIsSentToTheNextServerAsWell) {
  FakeServer first;
  FakeServer second;
  add_server(first.address, "first");
  add_server(second.address, "second");
  use_filters();
  start();
  const std::string body = std::string(1'000'000, 'b') + "end";
  Peer client = connect_and_send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000003\r\n\r\n");
  ASSERT_TRUE(send_all(client, body));
  Peer& broken = accept(first);
  ASSERT_TRUE(receives(broken, "end"));
  broken.close();
  Peer& peer = accept(second);
  ASSERT_TRUE(receives(peer, "end"));
  EXPECT_TRUE(peer.in.ends_with(body));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().attempts, 2);
}

TEST_F(BufferingTest, ABodyThatIsTooLargeIsRefused) {
  request_.disk = ByteCount(0);
  FakeServer server;
  start_buffering(server);
  Peer announced = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
  ASSERT_TRUE(receives(announced, "HTTP/1.1 413 "));
  Peer found = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  found.send("3e9\r\n" + std::string(1001, 'x') + "\r\n");
  ASSERT_TRUE(receives(found, "HTTP/1.1 413 "));
  EXPECT_EQ(server.accept_all(), 0u);
}

TEST_F(BufferingTest, AClientThatStopsInItsBodyTimesOut) {
  listener_.timeouts.client_body = 50ms;
  FakeServer server;
  start_buffering(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive");
  ASSERT_TRUE(receives(client, "HTTP/1.1 408 "));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_body_timeout);
  EXPECT_EQ(server.accept_all(), 0u);
}

TEST_F(BufferingTest, WithoutADiskARequestIsRefusedAndAResponseStreams) {
  request_.folder = response_.folder = std::string("/nowhere");
  FakeServer server;
  start_buffering(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
  ASSERT_TRUE(send_all(client, std::string(300'000, 'x')));
  ASSERT_TRUE(receives(client, "reason: body_storage\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 503 "));
  Peer reader = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  const std::string response = large_response();
  std::string_view rest = response;
  ASSERT_TRUE(turn_until([&] {
    rest.remove_prefix(peer.try_send(rest));
    return reader.has("end");
  }));
}

TEST(BufferingSettings, AFolderThatTakesNoFilesIsAProblem) {
  BufferResponseSettings settings;
  settings.folder = std::string("/nowhere");
  config::Problems problems;
  BufferResponse::check(settings, {3, 5}, problems);
  ASSERT_TRUE(problems.has_errors());
  EXPECT_EQ(problems.sorted()[0].message,
            "no file can be made in folder '/nowhere': No such file or directory");
  config::Problems none;
  settings.disk = ByteCount(0);
  BufferResponse::check(settings, {3, 5}, none);
  EXPECT_TRUE(none.is_empty());
}

TEST(BufferingSettings, AStoreWithoutRoomIsAProblem) {
  BufferRequestSettings settings;
  settings.memory = settings.disk = ByteCount(0);
  config::Problems problems;
  BufferRequest::check(settings, {3, 5}, problems);
  ASSERT_TRUE(problems.has_errors());
  EXPECT_EQ(problems.sorted()[0].message,
            "'memory' and 'disk' are both 0: nothing could be stored");
}

TEST(BufferingSettings, TheSummarySaysHowMuchIsKeptWhere) {
  BufferResponseSettings settings;
  EXPECT_EQ(BufferResponse("b", {}, settings).summary(), "64KiB in memory, then 1GiB in /var/tmp");
  settings.disk = ByteCount(0);
  EXPECT_EQ(BufferResponse("b", {}, settings).summary(), "64KiB in memory");
}

}  // namespace
}  // namespace weir::filter
