// Long bodies of whole exchanges, which go through pipes: whole, in order, and ended as others are.

#include "base/pattern_test_support.h"
#include "proxy/http/serve_http_test_support.h"

namespace weir::proxy {
namespace {

using test::FakeServer;
using test::kGet;
using test::kOk;
using test::Peer;
using namespace std::chrono_literals;

class LongBodyTest : public test::HttpFixture {
 protected:
  ~LongBodyTest() override { EXPECT_EQ(worker_->pipes().in_use(), 0u); }

  // Sends all of it while the other one reads up to `at_once` bytes a turn; what that one got.
  std::string pass(Peer& from, std::string_view text, Peer& to, std::size_t bytes,
                   std::size_t at_once = SIZE_MAX) {
    std::size_t sent = 0;
    EXPECT_TRUE(turn_until([&] {
      sent += from.try_send(text.substr(sent));
      return to.read(at_once).in.size() >= bytes || to.is_over();
    }));
    return std::exchange(to.in, {});
  }
  // The server's end of a connection that has got the client's request.
  Peer& open(std::string_view request = kGet) {
    start_with(server_);
    client_ = connect_and_send(request);
    Peer& server = accept(server_);
    EXPECT_TRUE(receives(server, "\r\n\r\n"));
    return server;
  }
  void send_half(Peer& server) {
    const std::string_view half = std::string_view(response_).substr(0, response_.size() / 2);
    pass(server, half, client_, half.size());
  }
  void cut_response(void (Peer::*end)(), ErrorKind reason) {
    Peer& server = open();
    send_half(server);
    (server.*end)();
    EXPECT_TRUE(is_reset(client_));
    EXPECT_EQ(last_logged().reason.kind, reason);
    ASSERT_TRUE(has_no_connections());
    EXPECT_EQ(leases(), 0u);
  }

  FakeServer server_;
  Peer client_;
  const std::string body_ = pattern(std::size_t{3} << 20);
  const std::string response_ =
      "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 3145728\r\n\r\n" + body_;
};

TEST_F(LongBodyTest, AResponseArrivesWholeAndTheConnectionsGoOn) {
  Peer& server = open();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(receives(server, "\r\n\r\n"));
    server.in.clear();
    EXPECT_TRUE(pass(server, response_, client_, response_.size()) == response_);
    EXPECT_EQ(last_logged().bytes_sent, body_.size());
    EXPECT_EQ(worker_->pipes().in_use(), 0u);
    client_.send(kGet);
  }
  ASSERT_TRUE(receives(server, "\r\n\r\n"));
  EXPECT_EQ(server_.accept_all(), 1u);
}

TEST_F(LongBodyTest, ASlowReaderGetsAllOfIt) {
  Peer& server = open();
  EXPECT_TRUE(pass(server, response_, client_, response_.size(), 10'000) == response_);
}

TEST_F(LongBodyTest, ARequestArrivesWholeAndBothConnectionsGoOn) {
  start_with(server_);
  Peer client = connect();
  for (const std::string_view method : {"POST", "PUT"}) {
    const std::string request =
        std::string(method) + " / HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n";
    client.send(request);
    Peer& server = server_.peers.empty() ? accept(server_) : server_.peers[0];
    ASSERT_TRUE(receives(server, "\r\n\r\n"));
    server.in.clear();
    EXPECT_TRUE(pass(client, body_, server, body_.size()) == body_);
    server.send(kOk);
    ASSERT_TRUE(receives(client, "ok"));
    client.in.clear();
    EXPECT_EQ(last_logged().bytes_received, body_.size());
  }
  EXPECT_EQ(server_.accept_all(), 1u);
}

TEST_F(LongBodyTest, ABodyUpToTheCloseArrivesWhole) {
  Peer& server = open("GET / HTTP/1.0\r\n\r\n");
  const std::string head = "HTTP/1.1 200 OK\r\nDate: d\r\n\r\n";
  std::size_t sent = 0;
  const std::string response = head + body_;
  ASSERT_TRUE(turn_until([&] {
    sent += server.try_send(std::string_view(response).substr(sent));
    client_.read();
    return sent == response.size();
  }));
  server.close();
  ASSERT_TRUE(ends(client_));
  EXPECT_EQ(client_.os_error, 0);
  EXPECT_TRUE(client_.in.ends_with(body_));
  EXPECT_EQ(last_logged().bytes_sent, body_.size());
}

TEST_F(LongBodyTest, AServerThatEndsEarlyLeavesATruncatedResponseAndAReset) {
  cut_response(&Peer::close, ErrorKind::server_closed);
}

TEST_F(LongBodyTest, AServerThatResetsLeavesATruncatedResponseAndAReset) {
  cut_response(&Peer::reset, ErrorKind::server_reset);
}

TEST_F(LongBodyTest, AClientThatGoesWhileThePipeHoldsSomethingCutsTheServerOff) {
  Peer& server = open();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
  net::test::send_until_still(worker_, server, std::string(256 * 1024, 'x'));
  EXPECT_EQ(worker_->pipes().in_use(), 1u);
  client_.reset();
  ASSERT_TRUE(ends(server));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_reset);
  EXPECT_EQ(worker_->pipes().in_use(), 0u);
}

TEST_F(LongBodyTest, AClientThatTakesNothingIsResetInTheEnd) {
  listener_.timeouts.client_body = 50ms;
  Peer& server = open();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
  const std::string block(256 * 1024, 'b');
  ASSERT_TRUE(turn_until([&] {
    server.try_send(block);
    return server.os_error != 0;
  }));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_write_timeout);
}

TEST_F(LongBodyTest, AServerThatFallsSilentIsTimedOut) {
  backend_.timeouts.server_body = 20ms;
  Peer& server = open();
  send_half(server);
  EXPECT_TRUE(is_reset(client_));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::response_body_timeout);
}

TEST_F(LongBodyTest, WithoutAFreePipeTheBodyIsCopiedAndThatIsCounted) {
  worker_->pipes().set_max(1);
  Pipe other = worker_->pipes().take();
  Peer& server = open();
  EXPECT_TRUE(pass(server, response_, client_, response_.size()) == response_);
  EXPECT_GT(worker_->pipes().exhausted_count(), 0u);
}

TEST_F(LongBodyTest, AShortBodyAsksForNoPipe) {
  worker_->pipes().set_max(1);
  Pipe other = worker_->pipes().take();
  Peer& server = open();
  const std::string response =
      "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 20000\r\n\r\n" + body_.substr(0, 20'000);
  EXPECT_TRUE(pass(server, response, client_, response.size()) == response);
  EXPECT_EQ(worker_->pipes().exhausted_count(), 0u);
}

}  // namespace
}  // namespace weir::proxy
