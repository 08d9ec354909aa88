// Long bodies of whole exchanges, which go through pipes: whole, in order, and ended as others are.

#include "proxy/http/serve_http_test_support.h"

namespace weir::proxy {
namespace {

using test::FakeServer;
using test::kGet;
using test::kOk;
using test::Peer;
using namespace std::chrono_literals;

// A pattern whose every place can be told from its neighbours.
std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>((i * 131 + i / 251) % 256);
  return text;
}

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
  // Sends until everything stands still, since nobody reads.
  void fill_up(Peer& from) {
    const std::string block(256 * 1024, 'x');
    int still = 0;
    ASSERT_TRUE(turn_until([&] {
      still = from.try_send(block) == 0 ? still + 1 : 0;
      return still > 20;
    }));
  }

  FakeServer server_;
  const std::string body_ = pattern(std::size_t{3} << 20);
  const std::string response_ =
      "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 3145728\r\n\r\n" + body_;
};

TEST_F(LongBodyTest, AResponseArrivesWholeAndTheConnectionsGoOn) {
  start_with(server_);
  Peer client = connect_and_send(kGet);
  Peer& server = accept(server_);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(receives(server, "\r\n\r\n"));
    server.in.clear();
    EXPECT_TRUE(pass(server, response_, client, response_.size()) == response_);
    EXPECT_EQ(last_logged().bytes_sent, body_.size());
    EXPECT_EQ(worker_->pipes().in_use(), 0u);
    client.send(kGet);
  }
  ASSERT_TRUE(receives(server, "\r\n\r\n"));
  EXPECT_EQ(server_.accept_all(), 1u);
}

TEST_F(LongBodyTest, ASlowReaderGetsAllOfIt) {
  start_with(server_);
  Peer client = connect_and_send(kGet);
  Peer& server = accept(server_);
  ASSERT_TRUE(receives(server, "\r\n\r\n"));
  EXPECT_TRUE(pass(server, response_, client, response_.size(), 10'000) == response_);
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
  start_with(server_);
  Peer client = connect_and_send("GET / HTTP/1.0\r\n\r\n");
  Peer& server = accept(server_);
  ASSERT_TRUE(receives(server, "\r\n\r\n"));
  const std::string head = "HTTP/1.1 200 OK\r\nDate: d\r\n\r\n";
  std::size_t sent = 0;
  const std::string response = head + body_;
  ASSERT_TRUE(turn_until([&] {
    sent += server.try_send(std::string_view(response).substr(sent));
    client.read();
    return sent == response.size();
  }));
  server.close();
  ASSERT_TRUE(ends(client));
  EXPECT_EQ(client.os_error, 0);
  EXPECT_TRUE(client.in.ends_with(body_));
  EXPECT_EQ(last_logged().bytes_sent, body_.size());
}

TEST_F(LongBodyTest, AServerThatEndsEarlyLeavesATruncatedResponseAndAReset) {
  for (const bool with_reset : {false, true}) {
    FakeServer server_of_round;
    backend_.servers.clear();
    start_with(server_of_round);
    Peer client = connect_and_send(kGet);
    Peer& server = accept(server_of_round);
    ASSERT_TRUE(receives(server, "\r\n\r\n"));
    const std::string_view half = std::string_view(response_).substr(0, response_.size() / 2);
    pass(server, half, client, half.size());
    with_reset ? server.reset() : server.close();
    EXPECT_TRUE(is_reset(client));
    EXPECT_EQ(last_logged().reason.kind,
              with_reset ? ErrorKind::server_reset : ErrorKind::server_closed);
    ASSERT_TRUE(has_no_connections());
    EXPECT_EQ(leases(), 0u);
    proxy_.reset();
  }
}

TEST_F(LongBodyTest, AClientThatGoesWhileThePipeHoldsSomethingCutsTheServerOff) {
  start_with(server_);
  Peer client = connect_and_send(kGet);
  Peer& server = accept(server_);
  ASSERT_TRUE(receives(server, "\r\n\r\n"));
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
  fill_up(server);
  EXPECT_EQ(worker_->pipes().in_use(), 1u);
  client.reset();
  ASSERT_TRUE(ends(server));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::client_reset);
  EXPECT_EQ(worker_->pipes().in_use(), 0u);
}

TEST_F(LongBodyTest, AClientThatTakesNothingIsResetInTheEnd) {
  listener_.timeouts.client_body = 50ms;
  start_with(server_);
  Peer client = connect_and_send(kGet);
  Peer& server = accept(server_);
  ASSERT_TRUE(receives(server, "\r\n\r\n"));
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
  start_with(server_);
  Peer client = connect_and_send(kGet);
  Peer& server = accept(server_);
  ASSERT_TRUE(receives(server, "\r\n\r\n"));
  const std::string_view half = std::string_view(response_).substr(0, response_.size() / 2);
  pass(server, half, client, half.size());
  EXPECT_TRUE(is_reset(client));
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::response_body_timeout);
}

TEST_F(LongBodyTest, WithoutAFreePipeTheBodyIsCopiedAndThatIsCounted) {
  worker_->pipes().set_max(1);
  Pipe other = worker_->pipes().take();
  start_with(server_);
  Peer client = connect_and_send(kGet);
  Peer& server = accept(server_);
  ASSERT_TRUE(receives(server, "\r\n\r\n"));
  EXPECT_TRUE(pass(server, response_, client, response_.size()) == response_);
  EXPECT_GT(worker_->pipes().exhausted_count(), 0u);
}

TEST_F(LongBodyTest, AShortBodyAsksForNoPipe) {
  worker_->pipes().set_max(1);
  Pipe other = worker_->pipes().take();
  start_with(server_);
  Peer client = connect_and_send(kGet);
  Peer& server = accept(server_);
  ASSERT_TRUE(receives(server, "\r\n\r\n"));
  const std::string response =
      "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 20000\r\n\r\n" + body_.substr(0, 20'000);
  EXPECT_TRUE(pass(server, response, client, response.size()) == response);
  EXPECT_EQ(worker_->pipes().exhausted_count(), 0u);
}

}  // namespace
}  // namespace weir::proxy
