#include "net/tunnel.h"

#include <optional>

#include "base/pattern_test_support.h"
#include "net/net_test_support.h"

namespace weir::net {
namespace {

using test::Connection;
using test::Peer;
using test::TestWorker;
using namespace std::chrono_literals;

// The parameter: how many pipes the worker has.
class TunnelTest : public testing::TestWithParam<std::size_t> {
 protected:
  TunnelTest() { worker_->pipes().set_max(GetParam()); }
  ~TunnelTest() override { EXPECT_EQ(worker_->pipes().in_use(), 0u); }

  // Starts the tunnel; the streams are closed at its end, as by those who use it.
  void start(Duration idle = 1h) {
    scope_.spawn([this, idle]() -> Task<> {
      {
        Tunnel tunnel(*worker_, *client_.stream, *server_.stream, idle);
        outcome_ = co_await tunnel.run();
      }
      client_.stream.reset();
      server_.stream.reset();
    });
  }
  [[nodiscard]] bool finish() {
    return worker_.turn_until([&] { return outcome_.has_value(); });
  }

  TestWorker worker_;
  Connection client_{*worker_, Side::client};
  Connection server_{*worker_, Side::server};
  Peer& client_peer_ = client_.peer;
  Peer& server_peer_ = server_.peer;
  Scope scope_;
  std::optional<TunnelOutcome> outcome_;
};

TEST_P(TunnelTest, CarriesBytesBothWaysUntilBothSidesEnd) {
  start();
  client_peer_.send("question");
  ASSERT_TRUE(worker_.turn_until([&] { return server_peer_.has("question"); }));
  server_peer_.send("answer");
  ASSERT_TRUE(worker_.turn_until([&] { return client_peer_.has("answer"); }));
  client_peer_.shutdown_write();
  server_peer_.shutdown_write();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->bytes_from_client, 8u);
  EXPECT_EQ(outcome_->bytes_from_server, 6u);
  EXPECT_NE(outcome_->first_byte_from_server, TimePoint{});
  EXPECT_EQ(outcome_->error, Error{});
  EXPECT_TRUE(worker_.turn_until([&] { return client_peer_.is_over() && server_peer_.is_over(); }));
  EXPECT_EQ(client_peer_.os_error + server_peer_.os_error, 0);
}

TEST_P(TunnelTest, EndsAtOnceWhenBothSidesHaveEndedBefore) {
  client_peer_.shutdown_write();
  server_peer_.shutdown_write();
  // A moment for the ends to arrive, so that nothing has to be waited for.
  worker_.turn_a_little();
  start();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error, Error{});
  EXPECT_EQ(outcome_->first_byte_from_server, TimePoint{});
}

TEST_P(TunnelTest, AClientsHalfCloseIsPassedOnAndTheAnswerStillComes) {
  start();
  client_peer_.send("all I have");
  client_peer_.shutdown_write();
  ASSERT_TRUE(worker_.turn_until([&] { return server_peer_.read().ended; }));
  EXPECT_EQ(server_peer_.in, "all I have");
  server_peer_.send("late answer");
  ASSERT_TRUE(worker_.turn_until([&] { return client_peer_.has("late answer"); }));
  EXPECT_FALSE(client_peer_.ended);
  server_peer_.shutdown_write();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error, Error{});
}

TEST_P(TunnelTest, AServersHalfCloseIsPassedOnAndTheClientMayGoOn) {
  start();
  server_peer_.shutdown_write();
  ASSERT_TRUE(worker_.turn_until([&] { return client_peer_.read().ended; }));
  client_peer_.send("one more");
  ASSERT_TRUE(worker_.turn_until([&] { return server_peer_.has("one more"); }));
  EXPECT_FALSE(server_peer_.ended);
  client_peer_.shutdown_write();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error, Error{});
}

TEST_P(TunnelTest, AHalfCloseComesBehindAllBytesThatWereKept) {
  start();
  const std::string block(256 * 1024, 'b');
  const std::size_t sent = send_until_still(worker_, client_peer_, block);
  client_peer_.shutdown_write();
  ASSERT_TRUE(worker_.turn_until([&] { return server_peer_.read().ended; }));
  EXPECT_EQ(server_peer_.in, std::string(sent, 'b'));
  server_peer_.shutdown_write();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->bytes_from_client, sent);
}

TEST_P(TunnelTest, ASlowReaderCostsBoundedMemory) {
  start();
  constexpr std::size_t kBytes = std::size_t{100} << 20;
  const std::string block(256 * 1024, 'x');
  std::size_t sent = 0;
  std::size_t received = 0;
  std::size_t most = 0;
  ASSERT_TRUE(worker_.turn_until([&] {
    while (sent < kBytes) {
      const std::size_t count =
          server_peer_.try_send(std::string_view(block).substr(0, kBytes - sent));
      sent += count;
      if (count == 0) break;
    }
    client_peer_.in.clear();
    received += client_peer_.read(100 * 1024).in.size();
    most = std::max(most, worker_.buffer_bytes());
    return received == kBytes;
  }));
  EXPECT_LE(most, BufferPool::kLargest);
  // A half that has moved its share may keep what it has until its next turn.
  EXPECT_TRUE(worker_.turn_until([&] { return worker_.buffer_bytes() == 0; }));
  client_peer_.shutdown_write();
  server_peer_.shutdown_write();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->bytes_from_server, kBytes);
}

TEST_P(TunnelTest, AClientsResetResetsTheServer) {
  start();
  client_peer_.send("x");
  ASSERT_TRUE(worker_.turn_until([&] { return server_peer_.has("x"); }));
  client_peer_.reset();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error.kind, ErrorKind::client_reset);
  ASSERT_TRUE(worker_.turn_until([&] { return server_peer_.is_over(); }));
  EXPECT_EQ(server_peer_.os_error, ECONNRESET);
}

TEST_P(TunnelTest, AServersResetResetsTheClient) {
  start();
  server_peer_.reset();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error.kind, ErrorKind::server_reset);
  ASSERT_TRUE(worker_.turn_until([&] { return client_peer_.is_over(); }));
  EXPECT_EQ(client_peer_.os_error, ECONNRESET);
}

TEST_P(TunnelTest, AResetWhileTheOtherSideIsFullIsPassedOn) {
  start();
  send_until_still(worker_, server_peer_, std::string(256 * 1024, 'x'));
  client_peer_.reset();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error.kind, ErrorKind::client_reset);
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST_P(TunnelTest, EndsWhenNothingMovesForTheIdleTime) {
  const TimePoint started = worker_->now();
  start(20ms);
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error.kind, ErrorKind::tunnel_idle_timeout);
  EXPECT_GE(worker_->now() - started, 20ms);
}

// Half a stream that ends in order would be taken for a whole one.
TEST_P(TunnelTest, AnIdleTimeoutResetsBothSides) {
  start(20ms);
  client_peer_.send("x");
  ASSERT_TRUE(finish());
  ASSERT_TRUE(worker_.turn_until([&] { return client_peer_.is_over() && server_peer_.is_over(); }));
  EXPECT_EQ(client_peer_.os_error, ECONNRESET);
  EXPECT_EQ(server_peer_.os_error, ECONNRESET);
}

TEST_P(TunnelTest, BytesInOneDirectionKeepTheOtherAlive) {
  start(500ms);
  const TimePoint until = worker_->now() + 1200ms;
  ASSERT_TRUE(worker_.turn_until([&] {
    client_peer_.send(".");
    server_peer_.read();
    return worker_->now() > until || outcome_.has_value();
  }));
  EXPECT_FALSE(outcome_.has_value());
  const TimePoint stopped = worker_->now();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error.kind, ErrorKind::tunnel_idle_timeout);
  EXPECT_GE(worker_->now() - stopped, 400ms);
}

TEST_P(TunnelTest, ASideThatNeverReadsIsIdleInTheEnd) {
  start(50ms);
  const std::string block(256 * 1024, 'x');
  ASSERT_TRUE(worker_.turn_until([&] {
    client_peer_.try_send(block);
    return outcome_.has_value();
  }));
  EXPECT_EQ(outcome_->error.kind, ErrorKind::tunnel_idle_timeout);
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

// A half that has moved its share waits for the next turn: it holds no operation that an abort
// could end.
TEST_P(TunnelTest, AnEndWhileAHalfWaitsForItsTurnEndsItToo) {
  const std::string block(std::size_t{4} << 20, 'x');
  for (int round = 0; round < 20; ++round) {
    TestWorker worker;
    Connection client(*worker, Side::client);
    Connection server(*worker, Side::server);
    client.peer.try_send(block);
    std::optional<TunnelOutcome> outcome;
    Scope scope;
    scope.spawn([&]() -> Task<> {
      Tunnel tunnel(*worker, *client.stream, *server.stream, 1h);
      outcome = co_await tunnel.run();
    });
    for (int turns = 0; turns < round; ++turns) {
      client.peer.try_send(block);
      server.peer.read();
      server.peer.in.clear();
      worker->turn();
    }
    server.peer.reset();
    ASSERT_TRUE(worker.turn_until([&] { return outcome.has_value(); }));
    EXPECT_EQ(outcome->error.kind, ErrorKind::server_reset);
    EXPECT_EQ(worker.buffer_bytes(), 0u);
  }
}

TEST_P(TunnelTest, AnAbortFromOutsideEndsIt) {
  start();
  const Error reason = make_error(ErrorKind::shutting_down, Side::weir);
  client_.stream->abort(reason);
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error, reason);
}

// Then it is no wait that ends, but a call that fails.
TEST_P(TunnelTest, AnAbortWhileAHalfWaitsForItsTurnSaysWhy) {
  const Error reason = make_error(ErrorKind::shutting_down, Side::weir);
  const std::string block(std::size_t{4} << 20, 'x');
  for (int round = 0; round < 20; ++round) {
    TestWorker worker;
    Connection client(*worker, Side::client);
    Connection server(*worker, Side::server);
    client.peer.try_send(block);
    std::optional<TunnelOutcome> outcome;
    Scope scope;
    scope.spawn([&]() -> Task<> {
      Tunnel tunnel(*worker, *client.stream, *server.stream, 1h);
      outcome = co_await tunnel.run();
    });
    for (int turns = 0; turns < round; ++turns) {
      client.peer.try_send(block);
      server.peer.read();
      server.peer.in.clear();
      worker->turn();
    }
    client.stream->abort(reason);
    server.stream->abort(reason);
    ASSERT_TRUE(worker.turn_until([&] { return outcome.has_value(); }));
    EXPECT_EQ(outcome->error, reason);
  }
}

TEST_P(TunnelTest, WithoutABufferLeftAShortSendEndsTheTunnel) {
  TestWorker poor(0);
  poor->pipes().set_max(0);
  Connection client(*poor, Side::client);
  Connection server(*poor, Side::server);
  std::optional<TunnelOutcome> outcome;
  Scope scope;
  scope.spawn([&]() -> Task<> {
    Tunnel tunnel(*poor, *client.stream, *server.stream, 1h);
    outcome = co_await tunnel.run();
  });
  const std::string block(256 * 1024, 'x');
  ASSERT_TRUE(poor.turn_until([&] {
    client.peer.try_send(block);
    return outcome.has_value();
  }));
  EXPECT_EQ(outcome->error, make_error(ErrorKind::buffers_exhausted, Side::weir));
}

TEST_P(TunnelTest, MuchArrivesWholeBothWays) {
  start();
  const std::string body = pattern(std::size_t{8} << 20);
  std::size_t sent_up = 0;
  std::size_t sent_down = 0;
  ASSERT_TRUE(worker_.turn_until([&] {
    sent_up += client_peer_.try_send(std::string_view(body).substr(sent_up));
    sent_down += server_peer_.try_send(std::string_view(body).substr(sent_down));
    client_peer_.read(200 * 1024);
    server_peer_.read();
    return client_peer_.in.size() == body.size() && server_peer_.in.size() == body.size();
  }));
  EXPECT_TRUE(client_peer_.in == body);
  EXPECT_TRUE(server_peer_.in == body);
  // Who rests holds no pipe.
  EXPECT_TRUE(worker_.turn_until([&] { return worker_->pipes().in_use() == 0; }));
  client_peer_.shutdown_write();
  server_peer_.shutdown_write();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->bytes_from_client, body.size());
  EXPECT_EQ(outcome_->bytes_from_server, body.size());
  EXPECT_EQ(outcome_->error, Error{});
}

INSTANTIATE_TEST_SUITE_P(, TunnelTest, testing::Values(0, 8), [](const auto& instance) {
  return instance.param == 0 ? "copied" : "piped";
});

class PipedTunnelTest : public TunnelTest {
 protected:
  std::size_t fill_up() {
    return send_until_still(worker_, server_peer_, std::string(256 * 1024, 'x'));
  }
};

TEST_P(PipedTunnelTest, ASlowReaderHoldsAPipeAndNoBuffer) {
  start();
  const std::size_t sent = fill_up();
  EXPECT_EQ(worker_->pipes().in_use(), 1u);
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
  ASSERT_TRUE(worker_.turn_until([&] { return client_peer_.read().in.size() == sent; }));
  EXPECT_TRUE(worker_.turn_until([&] { return worker_->pipes().in_use() == 0; }));
  client_peer_.shutdown_write();
  server_peer_.shutdown_write();
  ASSERT_TRUE(finish());
}

TEST_P(PipedTunnelTest, AResetWhileThePipeHoldsSomethingResetsTheOtherSide) {
  start();
  fill_up();
  client_peer_.reset();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error.kind, ErrorKind::client_reset);
  ASSERT_TRUE(worker_.turn_until([&] { return server_peer_.is_over(); }));
  EXPECT_EQ(server_peer_.os_error, ECONNRESET);
}

TEST_P(PipedTunnelTest, AHalfCloseComesBehindAllThatThePipeHolds) {
  start();
  const std::size_t sent = fill_up();
  server_peer_.shutdown_write();
  ASSERT_TRUE(worker_.turn_until([&] { return client_peer_.read().ended; }));
  EXPECT_EQ(client_peer_.in.size(), sent);
  client_peer_.shutdown_write();
  ASSERT_TRUE(finish());
  EXPECT_EQ(outcome_->error, Error{});
}

TEST_P(PipedTunnelTest, SmallMessagesAskForNoPipe) {
  worker_->pipes().set_max(1);
  const Pipe other = worker_->pipes().take();
  start();
  for (int i = 0; i < 100; ++i) {
    client_peer_.in.clear();
    server_peer_.in.clear();
    client_peer_.send("question");
    ASSERT_TRUE(worker_.turn_until([&] { return server_peer_.has("question"); }));
    server_peer_.send("answer");
    ASSERT_TRUE(worker_.turn_until([&] { return client_peer_.has("answer"); }));
  }
  EXPECT_EQ(worker_->pipes().exhausted_count(), 0u);
  client_peer_.shutdown_write();
  server_peer_.shutdown_write();
  ASSERT_TRUE(finish());
}

TEST_P(PipedTunnelTest, WithoutAFreePipeBytesAreCopiedAndThatIsCounted) {
  worker_->pipes().set_max(1);
  const Pipe other = worker_->pipes().take();
  start();
  const std::size_t sent = fill_up();
  EXPECT_GT(worker_->pipes().exhausted_count(), 0u);
  ASSERT_TRUE(worker_.turn_until([&] { return client_peer_.read().in.size() == sent; }));
  client_peer_.shutdown_write();
  server_peer_.shutdown_write();
  ASSERT_TRUE(finish());
}

INSTANTIATE_TEST_SUITE_P(, PipedTunnelTest, testing::Values(8));

}  // namespace
}  // namespace weir::net
