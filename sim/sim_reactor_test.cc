// The reactor contract, held by the simulated reactor: the cases of runtime/reactor_contract_*.cc
// with ends of the simulated network as peers, for many seeds.

#include "sim/sim_reactor.h"

#include <gtest/gtest.h>

#include "runtime/reactor_contract_test.h"

namespace weir::sim {
namespace {

using namespace std::chrono_literals;

class SimReactorContract : public testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr std::uint16_t kPort = 80;

  SimReactorContract() {
    reactor_ = std::make_unique<SimReactor>(network_, weir_, buffers_, GetParam(), habits());
  }
  ~SimReactorContract() override {
    if (socket_ != nullptr) reactor_->close(*socket_);
    settle();
  }

  ReactorHabits habits() const {
    return GetParam() == 0 ? ReactorHabits{0, 0, 0, 0, 0} : ReactorHabits();
  }

  // One event of the network, or a turn.
  void step() {
    const TimePoint due = std::min(network_.next_event(), reactor_->due());
    if (due > network_.now() && due != kNever) network_.advance(due);
    if (network_.next_event() <= network_.now()) network_.run_event();
    reactor_->turn(kNever);
  }
  template <class Condition>
  [[nodiscard]] bool step_until(Condition&& holds) {
    for (int steps = 0; steps < 50'000; ++steps) {
      if (holds()) return true;
      step();
    }
    return holds();
  }
  [[nodiscard]] bool finish(const Operation& operation) {
    return step_until([&] { return !operation.is_pending(); });
  }
  // Whatever can happen has happened.
  void settle() {
    for (int turns = 0; turns < 20; ++turns) reactor_->turn(kNever);
    while (network_.next_event() != kNever) step();
    for (int turns = 0; turns < 20; ++turns) reactor_->turn(kNever);
  }

  // socket_ of the reactor, connected to peer_.
  void connect() {
    Listening& listening = network_.listen(other_, kPort, 8);
    socket_ = *reactor_->make_stream_socket(AF_INET);
    const sockaddr_in address = network_.address_of(other_, kPort);
    Wait wait;
    ASSERT_EQ(reactor_->start_connect(*socket_, view(address), wait), Started::waiting);
    ASSERT_TRUE(finish(wait));
    ASSERT_EQ(wait.os_error(), 0);
    peer_ = listening.accept();
    ASSERT_NE(peer_, nullptr);
  }
  void send_from_peer(std::string_view text) {
    ASSERT_EQ(peer_->send(text).bytes(), text.size());
    while (network_.next_event() != kNever) {
      network_.advance(network_.next_event());
      network_.run_event();
    }
  }
  std::string read_at_peer(std::size_t bytes) {
    std::string text;
    EXPECT_TRUE(step_until([&] {
      std::array<char, 4096> buffer;
      const IoCount count = peer_->receive(buffer);
      if (!count.is_would_block() && !count.is_failure()) text.append(buffer.data(), count.bytes());
      return text.size() >= bytes;
    }));
    return text;
  }
  void receive(Receive& operation) {
    const int calls = operation.calls;
    const Started started = reactor_->start_receive(*socket_, operation);
    ASSERT_TRUE(finish(operation));
    EXPECT_EQ(operation.calls, calls + (started == Started::waiting ? 1 : 0));
  }

  Trace trace_;
  Network network_{GetParam(), trace_};
  HostId weir_ = network_.add_host("weir");
  HostId other_ = network_.add_host("other");
  BufferPool buffers_{std::size_t{4} << 20};
  std::unique_ptr<SimReactor> reactor_;
  Socket* socket_ = nullptr;
  End* peer_ = nullptr;
};

TEST_P(SimReactorContract, OneAcceptTakesManyConnections) {
  Socket& listener = reactor_->listen(kPort, 1000);
  Accept accept;
  ASSERT_EQ(reactor_->start_accept(listener, accept), Started::waiting);
  for (int i = 0; i < 300; ++i) network_.connect(other_, network_.address_of(weir_, kPort));
  ASSERT_TRUE(step_until([&] { return accept.connections.size() == 300; }));
  EXPECT_TRUE(accept.is_pending());
  for (Fd& connection : accept.connections) {
    reactor_->close(reactor_->adopt(std::move(connection)));
  }
  reactor_->cancel(listener, accept);
  EXPECT_EQ(accept.ends, 1);
  EXPECT_EQ(accept.os_error(), ECANCELED);
  reactor_->close(listener);
}

TEST_P(SimReactorContract, AcceptEndsWithEmfileAndCanBeStartedAgain) {
  reactor_ = std::make_unique<SimReactor>(network_, weir_, buffers_, GetParam(), habits(), 2);
  Socket& listener = reactor_->listen(kPort, 10);
  Socket& last = **reactor_->make_stream_socket(AF_INET);
  EXPECT_EQ(reactor_->make_stream_socket(AF_INET).error(),
            make_error(ErrorKind::descriptors_exhausted, Side::weir, EMFILE));
  network_.connect(other_, network_.address_of(weir_, kPort));
  Accept accept;
  ASSERT_EQ(reactor_->start_accept(listener, accept), Started::waiting);
  ASSERT_TRUE(finish(accept));
  EXPECT_EQ(accept.os_error(), EMFILE);
  reactor_->close(last);
  reactor_->turn(kNever);
  ASSERT_EQ(reactor_->start_accept(listener, accept), Started::waiting);
  ASSERT_TRUE(step_until([&] { return accept.connections.size() == 1; }));
  reactor_->close(reactor_->adopt(std::move(accept.connections[0])));
  reactor_->cancel(listener, accept);
  reactor_->close(listener);
}

TEST_P(SimReactorContract, ARefusedConnectionSaysSo) {
  Socket& socket = **reactor_->make_stream_socket(AF_INET);
  const sockaddr_in address = network_.address_of(other_, kPort);
  Wait wait;
  ASSERT_EQ(reactor_->start_connect(socket, view(address), wait), Started::waiting);
  ASSERT_TRUE(finish(wait));
  EXPECT_EQ(wait.os_error(), ECONNREFUSED);
  reactor_->close(socket);
}

TEST_P(SimReactorContract, AFullQueueLetsTheHandshakeWait) {
  network_.listen(other_, kPort, 0);
  Socket& socket = **reactor_->make_stream_socket(AF_INET);
  const sockaddr_in address = network_.address_of(other_, kPort);
  Wait wait;
  ASSERT_EQ(reactor_->start_connect(socket, view(address), wait), Started::waiting);
  const TimePoint until = network_.now() + 2s;
  ASSERT_TRUE(step_until([&] { return network_.now() >= until; }));
  ASSERT_TRUE(wait.is_pending());
  reactor_->cancel(socket, wait);
  ASSERT_TRUE(finish(wait));
  EXPECT_EQ(wait.calls, 1);
  EXPECT_EQ(wait.os_error(), ECANCELED);
  reactor_->close(socket);
}

TEST_P(SimReactorContract, BytesComeWholeAndInOrder) {
  connect();
  std::string sent(100'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 % 251);
  std::size_t next = 0;
  std::string received;
  ASSERT_TRUE(step_until([&] {
    const IoCount count = peer_->send(std::span<const char>(sent).subspan(next));
    if (!count.is_would_block()) next += count.bytes();
    std::array<char, 777> buffer;
    const IoCount got = reactor_->try_receive(*socket_, buffer);
    if (!got.is_would_block()) received.append(buffer.data(), got.bytes());
    return received.size() == sent.size();
  }));
  EXPECT_TRUE(received == sent);
}

TEST_P(SimReactorContract, ALargeMessageIsSentWhole) {
  connect();
  const std::string text(200'000, 'x');
  Send send;
  send.message = text;
  reactor_->start_send(*socket_, send);
  EXPECT_TRUE(read_at_peer(text.size()) == text);
  ASSERT_TRUE(finish(send));
  EXPECT_EQ(send.sent, text.size());
  EXPECT_EQ(send.os_error(), 0);
}

TEST_P(SimReactorContract, AReceiveAppendsBehindWhatIsThere) {
  connect();
  Receive operation;
  std::string text;
  send_from_peer("onetwo");
  while (operation.filled < 6) receive(operation);
  EXPECT_EQ(text_of(operation), "onetwo");
}

TEST_P(SimReactorContract, AWaitingReceiveHoldsNoBuffer) {
  connect();
  Receive operation;
  ASSERT_EQ(reactor_->start_receive(*socket_, operation), Started::waiting);
  settle();
  EXPECT_EQ(buffers_.bytes_in_use(), 0u);
  peer_->close();
  ASSERT_TRUE(finish(operation));
  EXPECT_EQ(operation.received, 0u);
}

TEST_P(SimReactorContract, AReceiveWithoutABufferLeftEndsWithEnobufsAndLosesNothing) {
  connect();
  std::vector<Buffer> all;
  while (Buffer buffer = buffers_.take(BufferPool::kLargest)) all.push_back(std::move(buffer));
  while (Buffer buffer = buffers_.take(BufferPool::kSmallest)) all.push_back(std::move(buffer));
  send_from_peer("kept");
  Receive operation;
  receive(operation);
  EXPECT_EQ(operation.os_error(), ENOBUFS);
  all.clear();
  Receive again;
  while (again.filled < 4) receive(again);
  EXPECT_EQ(text_of(again), "kept");
}

TEST_P(SimReactorContract, TheEndIsReceivedAsNothingAgainAndAgain) {
  connect();
  send_from_peer("last");
  peer_->close();
  settle();
  Receive operation;
  while (operation.filled < 4) receive(operation);
  for (int i = 0; i < 3; ++i) {
    receive(operation);
    EXPECT_EQ(operation.os_error(), 0);
    EXPECT_EQ(operation.received, 0u);
  }
}

TEST_P(SimReactorContract, AResetIsReceivedAsEconnresetAndIsAHangUp) {
  connect();
  Wait hang_up;
  ASSERT_EQ(reactor_->start_poll(*socket_, Readiness::hang_up, hang_up), Started::waiting);
  settle();
  ASSERT_TRUE(hang_up.is_pending());
  peer_->reset();
  ASSERT_TRUE(finish(hang_up));
  EXPECT_EQ(hang_up.os_error(), 0);
  Receive operation;
  receive(operation);
  EXPECT_EQ(operation.os_error(), ECONNRESET);
}

TEST_P(SimReactorContract, APlainEndIsNoHangUpUntilWeEndToo) {
  connect();
  Wait hang_up;
  ASSERT_EQ(reactor_->start_poll(*socket_, Readiness::hang_up, hang_up), Started::waiting);
  peer_->shutdown_write();
  settle();
  EXPECT_TRUE(hang_up.is_pending());
  reactor_->shutdown_write(*socket_);
  EXPECT_FALSE(peer_->is_readable());
  // Our own end is an event of its own for the poll that is started after it.
  reactor_->cancel(*socket_, hang_up);
  EXPECT_EQ(hang_up.calls, 1);
  Wait again;
  reactor_->start_poll(*socket_, Readiness::hang_up, again);
  ASSERT_TRUE(finish(again));
}

TEST_P(SimReactorContract, SendingAfterOurEndFailsWithEpipeAndReadingGoesOn) {
  connect();
  reactor_->shutdown_write(*socket_);
  Send send;
  send.message = std::string_view("late");
  reactor_->start_send(*socket_, send);
  ASSERT_TRUE(finish(send));
  EXPECT_EQ(send.os_error(), EPIPE);
  send_from_peer("answer");
  Receive operation;
  while (operation.filled < 6) receive(operation);
  EXPECT_EQ(text_of(operation), "answer");
}

TEST_P(SimReactorContract, AWritablePollWaitsForRoom) {
  connect();
  const std::string block(64 * 1024, 'f');
  const iovec part{const_cast<char*>(block.data()), block.size()};
  std::size_t total = 0;
  for (int refused = 0; refused < 200;) {
    const IoCount count = reactor_->try_send(*socket_, {&part, 1});
    refused = count.is_would_block() ? refused + 1 : 0;
    if (!count.is_would_block()) total += count.bytes();
    while (network_.next_event() != kNever) step();
  }
  EXPECT_EQ(read_at_peer(total).size(), total);
  Wait writable;
  reactor_->start_poll(*socket_, Readiness::writable, writable);
  ASSERT_TRUE(finish(writable));
  EXPECT_EQ(writable.os_error(), 0);
}

TEST_P(SimReactorContract, ACancelEndsOnceAndLosesNothing) {
  connect();
  Receive operation;
  ASSERT_EQ(reactor_->start_receive(*socket_, operation), Started::waiting);
  reactor_->cancel(*socket_, operation);
  reactor_->cancel(*socket_, operation);
  ASSERT_TRUE(finish(operation));
  EXPECT_EQ(operation.calls, 1);
  EXPECT_EQ(operation.os_error(), ECANCELED);
  send_from_peer("here");
  Receive again;
  while (again.filled < 4) receive(again);
  EXPECT_EQ(text_of(again), "here");
}

TEST_P(SimReactorContract, AcceptsAndWatchesEndWithinTheCancel) {
  connect();
  for (const Readiness readiness : {Readiness::hang_up, Readiness::any_event}) {
    Wait watch;
    if (reactor_->start_poll(*socket_, readiness, watch) == Started::completed) continue;
    reactor_->cancel(*socket_, watch);
    EXPECT_FALSE(watch.is_pending());
  }
}

TEST_P(SimReactorContract, ACallbackMayDestroyItsOperationAndCloseItsSocket) {
  connect();
  auto operation = std::make_unique<Receive>();
  operation->then = [&] {
    operation.reset();
    reactor_->close(*std::exchange(socket_, nullptr));
  };
  ASSERT_EQ(reactor_->start_receive(*socket_, *operation), Started::waiting);
  send_from_peer("bye");
  ASSERT_TRUE(step_until([&] { return socket_ == nullptr; }));
  EXPECT_EQ(buffers_.bytes_in_use(), 0u);
}

TEST_P(SimReactorContract, ACloseWithUnreadBytesAndAWantedResetTellThePeer) {
  connect();
  reactor_->reset_on_close(*socket_);
  reactor_->close(*std::exchange(socket_, nullptr));
  settle();
  std::array<char, 1> byte;
  EXPECT_EQ(peer_->receive(byte).os_error(), ECONNRESET);
}

TEST_P(SimReactorContract, AWakeMakesATurnDue) {
  settle();
  EXPECT_EQ(reactor_->due(), kNever);
  reactor_->wake();
  EXPECT_EQ(reactor_->due(), network_.now());
}

INSTANTIATE_TEST_SUITE_P(, SimReactorContract, testing::Range<std::uint64_t>(0, 6));

}  // namespace
}  // namespace weir::sim
