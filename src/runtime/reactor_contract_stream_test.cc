// The contract of every reactor, part two: what is done with a connected stream.

#include <algorithm>

#include "base/pattern_test_support.h"
#include "base/random.h"
#include "runtime/reactor_contract_test.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

TEST_P(StreamContract, AWaitingReceiveHoldsNoBuffer) {
  Receive receive;
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  EXPECT_EQ(buffers_.bytes_in_use(), 0u);
  turn_a_little();
  EXPECT_EQ(buffers_.bytes_in_use(), 0u);
  write_all(peer_, "hello");
  ASSERT_TRUE(finish(receive));
  EXPECT_EQ(receive.calls, 1);
  EXPECT_EQ(receive.os_error(), 0);
  EXPECT_EQ(receive.received, 5u);
  EXPECT_EQ(text_of(receive), "hello");
  EXPECT_EQ(receive.buffer.capacity(), receive.buffer_bytes);
}

TEST_P(StreamContract, AReceiveAppendsBehindWhatIsThere) {
  Receive receive;
  write_all(peer_, "one ");
  this->receive(receive);
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  turn_a_little();
  write_all(peer_, "two");
  ASSERT_TRUE(finish(receive));
  EXPECT_EQ(receive.received, 3u);
  EXPECT_EQ(text_of(receive), "one two");
}

TEST_P(StreamContract, ABufferWithNothingInItIsGivenBackWhileWaiting) {
  Receive receive;
  for (int i = 0; i < 2; ++i) {
    receive.buffer = buffers_.take(64 * 1024);
    receive.filled = 0;
    ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
    EXPECT_EQ(buffers_.bytes_in_use(), 0u);
    write_all(peer_, "x");
    ASSERT_TRUE(finish(receive));
    EXPECT_EQ(text_of(receive), "x");
  }
}

TEST_P(StreamContract, AReceiveTakesNoMoreThanItsBufferHolds) {
  const std::string text = pattern(10'000);
  write_all(peer_, text);
  Receive receive;
  receive.buffer_bytes = 4096;
  std::string got;
  while (got.size() < text.size()) {
    receive.filled = 0;
    this->receive(receive);
    ASSERT_EQ(receive.os_error(), 0);
    ASSERT_GT(receive.received, 0u);
    got += text_of(receive);
  }
  EXPECT_EQ(got, text);
}

TEST_P(StreamContract, TheEndIsReceivedAsNothingAgainAndAgain) {
  peer_.close();
  Receive receive;
  for (int i = 0; i < 3; ++i) {
    this->receive(receive);
    EXPECT_EQ(receive.os_error(), 0);
    EXPECT_EQ(receive.received, 0u);
  }
}

TEST_P(StreamContract, AnEndThatCameWithDataIsNotLost) {
  write_all(peer_, "last words");
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  turn_a_little();
  Receive receive;
  this->receive(receive);
  EXPECT_EQ(text_of(receive), "last words");
  this->receive(receive);
  EXPECT_EQ(receive.os_error(), 0);
  EXPECT_EQ(receive.received, 0u);
}

TEST_P(StreamContract, AnEndThatCameWithDataWakesAWaitingReceiveTwice) {
  Receive receive;
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  write_all(peer_, "last words");
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  ASSERT_TRUE(finish(receive));
  EXPECT_EQ(text_of(receive), "last words");
  this->receive(receive);
  EXPECT_EQ(receive.received, 0u);
}

TEST_P(StreamContract, AnEndThatComesLaterWakesAWaitingReceive) {
  write_all(peer_, "words");
  Receive receive;
  this->receive(receive);
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  turn_a_little();
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  ASSERT_TRUE(finish(receive));
  EXPECT_EQ(receive.os_error(), 0);
  EXPECT_EQ(receive.received, 0u);
  EXPECT_EQ(text_of(receive), "words");
}

TEST_P(StreamContract, AReceiveWithoutABufferLeftEndsWithEnobufsAndLosesNothing) {
  std::vector<Buffer> held;
  do {
    held.push_back(buffers_.take(BufferPool::kSmallest));
  } while (held.back());
  Receive receive;
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  write_all(peer_, "hello");
  ASSERT_TRUE(finish(receive));
  EXPECT_EQ(receive.calls, 1);
  EXPECT_EQ(receive.os_error(), ENOBUFS);
  held.clear();
  this->receive(receive);
  EXPECT_EQ(text_of(receive), "hello");
}

TEST_P(StreamContract, ACancelledReceiveEndsOnceAndLosesNothing) {
  Receive receive;
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  cancel(*socket_, receive);
  EXPECT_EQ(receive.calls, 1);
  EXPECT_EQ(receive.os_error(), ECANCELED);
  EXPECT_EQ(receive.received, 0u);
  EXPECT_EQ(buffers_.bytes_in_use(), 0u);
  write_all(peer_, "hello");
  turn_a_little();
  EXPECT_EQ(receive.calls, 1);
  this->receive(receive);
  EXPECT_EQ(text_of(receive), "hello");
}

TEST_P(StreamContract, ASmallMessageIsSentWhole) {
  Send send;
  for (const std::string_view message : {"one", "two!"}) {
    send.message = message;
    reactor_->start_send(*socket_, send);
    ASSERT_TRUE(finish(send));
    EXPECT_EQ(send.os_error(), 0);
    EXPECT_EQ(send.sent, message.size());
    EXPECT_EQ(read_at_peer(message.size()), message);
  }
}

TEST_P(StreamContract, ALargeMessageIsSentWholeToASlowReader) {
  const std::string text = pattern(16 << 20);
  Send send;
  send.message = text;
  ASSERT_EQ(reactor_->start_send(*socket_, send), Started::waiting);
  turn_a_little();
  EXPECT_TRUE(send.is_pending());
  set_non_blocking(peer_.get());
  std::string got;
  std::vector<char> block(100'000);
  ASSERT_TRUE(turn_until([&] {
    ssize_t count;
    while ((count = ::recv(peer_.get(), block.data(), block.size(), 0)) > 0) {
      got.append(block.data(), static_cast<std::size_t>(count));
    }
    return got.size() == text.size();
  }));
  ASSERT_TRUE(finish(send));
  EXPECT_EQ(send.calls, 1);
  EXPECT_EQ(send.os_error(), 0);
  EXPECT_TRUE(got == text);
}

TEST_P(StreamContract, ACancelledSendEndsOnceAndTellsHowMuchWentOut) {
  const std::string text = pattern(16 << 20);
  Send send;
  send.message = text;
  ASSERT_EQ(reactor_->start_send(*socket_, send), Started::waiting);
  turn_a_little();
  cancel(*socket_, send);
  EXPECT_EQ(send.calls, 1);
  EXPECT_EQ(send.os_error(), ECANCELED);
  ASSERT_GT(send.sent, 0u);
  ASSERT_LT(send.sent, text.size());
  const std::size_t sent = send.sent;
  close_socket();
  EXPECT_TRUE(read_at_peer(sent) == std::string_view(text).substr(0, sent));
  char byte;
  EXPECT_EQ(::recv(peer_.get(), &byte, 1, 0), 0);
}

TEST_P(StreamContract, SendingAfterOurEndFailsWithEpipe) {
  reactor_->shutdown_write(*socket_);
  Send send;
  send.message = std::string_view("late");
  reactor_->start_send(*socket_, send);
  ASSERT_TRUE(finish(send));
  EXPECT_EQ(send.os_error(), EPIPE);
  EXPECT_EQ(try_send("late").os_error(), EPIPE);
}

TEST_P(StreamContract, WhatAFullSocketTookPrecedesOurEnd) {
  const std::string taken = fill_up_with_all_sizes();
  reactor_->shutdown_write(*socket_);
  EXPECT_TRUE(read_at_peer_to_the_end() == taken);
  EXPECT_EQ(try_send("late").os_error(), EPIPE);
}

TEST_P(StreamContract, WhatAFullSocketTookPrecedesItsClose) {
  const std::string taken = fill_up_with_all_sizes();
  close_socket();
  EXPECT_TRUE(read_at_peer_to_the_end() == taken);
}

TEST_P(StreamContract, WhoTurnsWhileClosedSocketsSendLosesNothing) {
  const std::string taken = fill_up_with_all_sizes();
  close_socket();
  std::string text;
  ASSERT_TRUE(turn_until([&] {
    read_at_peer(text);
    return !reactor_->is_sending_after_close();
  }));
  reactor_.reset();
  while (read_at_peer(text)) {
  }
  EXPECT_TRUE(text == taken);
}

TEST_P(StreamContract, AFullSocketThatIsResetDoesNotWaitForItsPeer) {
  fill_up_with_all_sizes();
  reactor_->reset_on_close(*socket_);
  close_socket();
  turn_a_little();
  EXPECT_FALSE(reactor_->is_sending_after_close());
  while (::recv(peer_.get(), std::array<char, 4096>().data(), 4096, 0) > 0) {
  }
}

TEST_P(StreamContract, SmallMessagesOfATurnArriveInTheirOrder) {
  std::string sent;
  for (int i = 0; i < 100; ++i) {
    const std::string message = pattern(1 + static_cast<std::size_t>(i) % 97);
    ASSERT_EQ(try_send(message).bytes(), message.size());
    sent += message;
  }
  reactor_->turn(reactor_->now());
  ASSERT_EQ(try_send("!").bytes(), 1u);
  EXPECT_TRUE(read_at_peer(sent.size() + 1) == sent + "!");
}

TEST_P(StreamContract, OurEndLeavesTheOtherDirectionOpen) {
  ASSERT_EQ(try_send("question").bytes(), 8u);
  reactor_->shutdown_write(*socket_);
  EXPECT_EQ(read_at_peer(8), "question");
  char byte;
  EXPECT_EQ(::recv(peer_.get(), &byte, 1, 0), 0);
  Receive receive;
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  write_all(peer_, "answer");
  ASSERT_TRUE(finish(receive));
  EXPECT_EQ(text_of(receive), "answer");
}

TEST_P(StreamContract, ThePeersEndLeavesTheOtherDirectionOpen) {
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  Receive receive;
  this->receive(receive);
  EXPECT_EQ(receive.received, 0u);
  EXPECT_EQ(try_send("answer").bytes(), 6u);
  EXPECT_EQ(read_at_peer(6), "answer");
}

TEST_P(StreamContract, AReadablePollWaitsForBytes) {
  std::vector<char> into(100);
  while (!reactor_->try_receive(*socket_, into).is_would_block()) {
  }
  Wait wait;
  ASSERT_EQ(reactor_->start_poll(*socket_, Readiness::readable, wait), Started::waiting);
  turn_a_little();
  EXPECT_TRUE(wait.is_pending());
  write_all(peer_, "hello");
  ASSERT_TRUE(finish(wait));
  EXPECT_EQ(wait.os_error(), 0);
  EXPECT_EQ(reactor_->try_receive(*socket_, into).bytes(), 5u);
}

TEST_P(StreamContract, AReadablePollCompletesAtTheEnd) {
  peer_.close();
  std::vector<char> into(100);
  for (;;) {
    const IoCount count = reactor_->try_receive(*socket_, into);
    if (!count.is_would_block()) {
      EXPECT_EQ(count.bytes(), 0u);
      break;
    }
    poll(Readiness::readable);
  }
  poll(Readiness::readable);
}

TEST_P(StreamContract, AWritablePollWaitsForRoom) {
  const std::size_t sent = fill_up();
  Wait wait;
  ASSERT_EQ(reactor_->start_poll(*socket_, Readiness::writable, wait), Started::waiting);
  turn_a_little();
  EXPECT_TRUE(wait.is_pending());
  read_at_peer(sent);
  ASSERT_TRUE(finish(wait));
  EXPECT_EQ(wait.os_error(), 0);
  EXPECT_GT(try_send("more").bytes(), 0u);
}

TEST_P(StreamContract, ACancelledPollEndsOnce) {
  fill_up();
  for (const Readiness readiness :
       {Readiness::hang_up, Readiness::writable, Readiness::readable, Readiness::any_event}) {
    Wait wait;
    if (reactor_->start_poll(*socket_, readiness, wait) != Started::waiting) continue;
    cancel(*socket_, wait);
    EXPECT_EQ(wait.calls, 1);
    EXPECT_EQ(wait.os_error(), ECANCELED);
    reactor_->cancel(*socket_, wait);
    turn_a_little();
    EXPECT_EQ(wait.calls, 1);
  }
}

TEST_P(StreamContract, AHangUpIsTheEndOfBothDirections) {
  Wait wait;
  ASSERT_EQ(reactor_->start_poll(*socket_, Readiness::hang_up, wait), Started::waiting);
  write_all(peer_, "more");
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  turn_a_little();
  EXPECT_TRUE(wait.is_pending());
  reactor_->shutdown_write(*socket_);
  ASSERT_TRUE(finish(wait));
  EXPECT_EQ(wait.calls, 1);
  EXPECT_EQ(wait.os_error(), 0);
}

// How a pooled connection waits: its last answer was read, and nothing may come.
TEST_P(StreamContract, AnyEventWaitsForBytesAndForAnEnd) {
  std::vector<char> into(100);
  Receive answer;
  ASSERT_EQ(reactor_->start_receive(*socket_, answer), Started::waiting);
  write_all(peer_, "answer");
  ASSERT_TRUE(finish(answer));
  for (const bool ends : {false, true}) {
    Wait wait;
    ASSERT_EQ(reactor_->start_poll(*socket_, Readiness::any_event, wait), Started::waiting);
    turn_a_little();
    ASSERT_TRUE(wait.is_pending());
    if (ends) {
      ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
    } else {
      write_all(peer_, "unasked");
    }
    ASSERT_TRUE(finish(wait));
    EXPECT_EQ(wait.calls, 1);
    EXPECT_EQ(wait.os_error(), 0);
    EXPECT_EQ(reactor_->try_receive(*socket_, into).bytes(), ends ? 0u : 7u);
  }
}

TEST_P(StreamContract, EachDirectionAndTheHangUpWaitOnTheirOwn) {
  const std::size_t sent = fill_up();
  Receive receive;
  Wait writable, hang_up;
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  ASSERT_EQ(reactor_->start_poll(*socket_, Readiness::writable, writable), Started::waiting);
  ASSERT_EQ(reactor_->start_poll(*socket_, Readiness::hang_up, hang_up), Started::waiting);
  write_all(peer_, "hello");
  ASSERT_TRUE(finish(receive));
  EXPECT_TRUE(writable.is_pending());
  read_at_peer(sent);
  ASSERT_TRUE(finish(writable));
  EXPECT_TRUE(hang_up.is_pending());
  cancel(*socket_, hang_up);
  EXPECT_EQ(receive.calls + writable.calls + hang_up.calls, 3);
}

TEST_P(StreamContract, ImmediateCallsGiveACountOrSayNotNowOrTheEnd) {
  std::vector<char> into(100);
  EXPECT_TRUE(reactor_->try_receive(*socket_, into).is_would_block());
  write_all(peer_, "0123456789");
  poll(Readiness::readable);
  EXPECT_EQ(reactor_->try_receive(*socket_, std::span(into).first(4)).bytes(), 4u);
  EXPECT_EQ(reactor_->try_receive(*socket_, into).bytes(), 6u);
  EXPECT_TRUE(reactor_->try_receive(*socket_, into).is_would_block());
  peer_.close();
  do {
    poll(Readiness::readable);
  } while (reactor_->try_receive(*socket_, into).is_would_block());
  EXPECT_EQ(reactor_->try_receive(*socket_, into).bytes(), 0u);
}

TEST_P(StreamContract, ASocketThatNobodyWaitedOnIsAskedEachTime) {
  std::vector<char> into(100);
  EXPECT_TRUE(reactor_->try_receive(*socket_, into).is_would_block());
  write_all(peer_, "hello");
  EXPECT_EQ(reactor_->try_receive(*socket_, into).bytes(), 5u);
  const std::size_t sent = fill_up();
  read_at_peer(sent);
  EXPECT_GT(try_send("more").bytes(), 0u);
}

TEST_P(UnixContract, ASocketThatTookLessThanAllTakesNothingMore) {
  const std::string block(std::size_t{8} << 20, 'f');
  ASSERT_LT(try_send(block).bytes(), block.size());
  EXPECT_TRUE(try_send("x").is_would_block());
}

TEST_P(StreamContract, PartsAreSentInOrder) {
  std::string parts[] = {"one ", "", "two ", "three"};
  std::vector<iovec> vector;
  for (auto& part : parts) vector.push_back({part.data(), part.size()});
  EXPECT_EQ(reactor_->try_send(*socket_, vector).bytes(), 13u);
  EXPECT_EQ(read_at_peer(13), "one two three");
}

TEST_P(StreamContract, ACallbackMayStartTheNextOperationOfItsSocket) {
  Receive receive;
  Send echo;
  int turns = 0;
  receive.then = [&] {
    echo.message = text_of(receive);
    EXPECT_EQ(reactor_->start_send(*socket_, echo), Started::completed);
    receive.filled = 0;
    if (++turns < 10) EXPECT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  };
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  for (int i = 0; i < 10; ++i) {
    write_all(peer_, "ping");
    ASSERT_TRUE(turn_until([&] { return turns == i + 1; }));
    EXPECT_EQ(read_at_peer(4), "ping");
  }
  EXPECT_EQ(receive.calls, 10);
}

TEST_P(StreamContract, ACallbackMayDestroyItsOperationAndCloseItsSocket) {
  auto receive = std::make_unique<Receive>();
  receive->then = [&] {
    auto moved = std::move(receive->then);  // what runs must outlive the record
    receive.reset();
    close_socket();
  };
  ASSERT_EQ(reactor_->start_receive(*socket_, *receive), Started::waiting);
  write_all(peer_, "hello");
  ASSERT_TRUE(turn_until([&] { return receive == nullptr; }));
  turn_a_little();
  EXPECT_EQ(buffers_.bytes_in_use(), 0u);
}

// Both sockets have something for the same turn; the first callback ends the other socket, and a
// new socket takes its descriptor's number.
TEST_P(StreamContract, ASocketClosedByACallbackOfTheSameTurnIsNotServed) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const Fd other_peer(ends[1]);
  set_non_blocking(ends[0]);
  Socket* sockets[] = {socket_, &reactor_->adopt(Fd(ends[0]))};
  Receive receives[2];
  Fd newcomer_peer;
  Socket* newcomer = nullptr;
  Receive newcomer_receive;
  int first = -1;
  for (int i = 0; i < 2; ++i) {
    receives[i].then = [&, i] {
      if (first != -1) return;
      first = i;
      reactor_->cancel(*sockets[1 - i], receives[1 - i]);
      if (receives[1 - i].is_pending()) return;  // the completion comes later: nothing to try here
      reactor_->close(*std::exchange(sockets[1 - i], nullptr));
      int fresh[2] = {-1, -1};
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fresh), 0);
      newcomer_peer = Fd(fresh[1]);
      newcomer = &reactor_->adopt(Fd(fresh[0]));
      EXPECT_EQ(reactor_->start_receive(*newcomer, newcomer_receive), Started::waiting);
    };
    ASSERT_EQ(reactor_->start_receive(*sockets[i], receives[i]), Started::waiting);
  }
  turn_a_little();
  write_all(peer_, "hello");
  write_all(other_peer, "hello");
  ASSERT_TRUE(turn_until([&] { return first != -1; }));
  turn_a_little();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(receives[i].calls, 1);
  if (newcomer != nullptr) {
    EXPECT_TRUE(newcomer_receive.is_pending());
    cancel(*newcomer, newcomer_receive);
    reactor_->close(*newcomer);
  }
  socket_ = sockets[0];
  if (sockets[1] != nullptr) reactor_->close(*sockets[1]);
}

TEST_P(TcpContract, AResetIsReceivedAsEconnreset) {
  Receive receive;
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  reset(peer_);
  ASSERT_TRUE(finish(receive));
  EXPECT_EQ(receive.calls, 1);
  EXPECT_EQ(receive.os_error(), ECONNRESET);
}

// Linux tells of an error once, and of an end from then on: a body that lasts until the connection
// ends would be taken for whole.
TEST_P(TcpContract, AResetThatASendWasToldOfIsNotReceivedAsAnEnd) {
  write_all(peer_, "half of a bo");
  reset(peer_);
  // By the first, or by the next: that is what a message which leaves later comes to.
  IoCount told = try_send("x");
  turn_a_little();
  if (!told.is_failure()) told = try_send("y");
  EXPECT_TRUE(told.is_failure());
  Receive receive;
  do {
    this->receive(receive);
  } while (receive.os_error() == 0 && receive.received != 0);
  EXPECT_EQ(receive.os_error(), ECONNRESET);
}

TEST_P(TcpContract, AResetEndsAWaitingSend) {
  const std::string text = pattern(16 << 20);
  Send send;
  send.message = text;
  ASSERT_EQ(reactor_->start_send(*socket_, send), Started::waiting);
  turn_a_little();
  reset(peer_);
  ASSERT_TRUE(finish(send));
  EXPECT_TRUE(send.os_error() == ECONNRESET || send.os_error() == EPIPE) << send.os_error();
  EXPECT_LT(send.sent, text.size());
}

TEST_P(TcpContract, AResetIsAHangUpAndAPlainEndIsNot) {
  Wait wait;
  ASSERT_EQ(reactor_->start_poll(*socket_, Readiness::hang_up, wait), Started::waiting);
  write_all(peer_, "data");
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  turn_a_little();
  EXPECT_TRUE(wait.is_pending());
  reset(peer_);
  ASSERT_TRUE(finish(wait));
  EXPECT_EQ(wait.calls, 1);
  EXPECT_EQ(wait.os_error(), 0);
}

TEST_P(TcpContract, AHangUpOfThePastIsStillTold) {
  Receive receive;
  ASSERT_EQ(reactor_->start_receive(*socket_, receive), Started::waiting);
  reset(peer_);
  ASSERT_TRUE(finish(receive));
  turn_a_little();
  poll(Readiness::hang_up);
}

TEST_P(TcpContract, AHangUpBeforeTheFirstWaitIsStillTold) {
  reset(peer_);
  poll(Readiness::hang_up);
}

TEST_P(TcpContract, ACloseMayBeMadeAReset) {
  reactor_->reset_on_close(*socket_);
  close_socket();
  char byte;
  EXPECT_EQ(::recv(peer_.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_P(TcpContract, ACloseIsAPlainEndOtherwise) {
  close_socket();
  char byte;
  EXPECT_EQ(::recv(peer_.get(), &byte, 1, 0), 0);
}

// Receives in every way there is, a step at a time, while the peer writes pieces of any size: all
// bytes come, in order, then the end. An edge that is lost would leave a wait for ever.
class AnyReader {
 public:
  AnyReader(Reactor& reactor, Socket& socket, Random& random)
      : reactor_(reactor), socket_(socket), random_(random) {
    receive_.then = [this] { on_received(); };
  }

  bool has_ended() const { return ended_; }
  const std::string& text() const { return text_; }

  void step() {
    if (ended_ || receive_.is_pending() || poll_.is_pending()) return;
    if (random_.below(2) == 0) {
      receive_.buffer_bytes = random_.below(2) == 0 ? 4096 : 65'536;
      receive_.filled = 0;
      receive_.buffer.release();
      if (reactor_.start_receive(socket_, receive_) == Started::completed) on_received();
      return;
    }
    std::vector<char> into(1 + random_.below(20'000));
    const IoCount count = reactor_.try_receive(socket_, into);
    if (count.is_would_block()) {
      static_cast<void>(reactor_.start_poll(socket_, Readiness::readable, poll_));
      return;
    }
    ended_ = count.bytes() == 0;
    text_.append(into.data(), count.bytes());
  }

 private:
  void on_received() {
    EXPECT_EQ(receive_.os_error(), 0);
    ended_ = receive_.received == 0;
    text_ += text_of(receive_);
  }

  Reactor& reactor_;
  Socket& socket_;
  Random& random_;
  Receive receive_;
  Wait poll_;
  std::string text_;
  bool ended_ = false;
};

TEST_P(StreamContract, AllBytesComeInOrderHoweverTheyAreWrittenAndRead) {
  const std::string text = pattern(300'000);
  Random random(1);
  set_non_blocking(peer_.get());
  AnyReader reader(*reactor_, *socket_, random);
  std::size_t written = 0;
  ASSERT_TRUE(turn_until([&] {
    for (int step = 0; step < 20; ++step) {
      const std::size_t piece =
          std::min<std::size_t>(text.size() - written, 1 + random.below(1u << random.below(17)));
      if (random.below(2) == 0) {
        reader.step();
      } else if (written < text.size()) {
        const ssize_t count = ::send(peer_.get(), text.data() + written, piece, 0);
        if (count > 0) written += static_cast<std::size_t>(count);
        if (written == text.size()) ::shutdown(peer_.get(), SHUT_WR);
      }
      if (random.below(4) == 0) reactor_->turn(reactor_->now());
    }
    return reader.has_ended();
  }));
  EXPECT_TRUE(reader.text() == text);
}

// The same for sending, to a peer that reads pieces of any size.
TEST_P(StreamContract, AllBytesGoOutInOrderHoweverTheyAreSentAndRead) {
  const std::string text = pattern(4 << 20);
  Random random(2);
  set_non_blocking(peer_.get());
  Send send;
  Wait room;
  std::size_t sent = 0;
  std::string got;
  std::vector<char> block(1 << 20);
  const auto sender_step = [&] {
    if (send.is_pending() || room.is_pending() || sent == text.size()) return;
    const std::uint64_t longest = std::uint64_t{1} << random.below(21);  // of every magnitude
    const auto rest = std::string_view(text).substr(sent, 1 + random.below(longest));
    if (random.below(2) == 0) {
      send.message = rest;
      send.then = [&] { sent += send.sent; };
      if (reactor_->start_send(*socket_, send) == Started::completed) sent += send.sent;
      return;
    }
    const IoCount count = try_send(rest);
    if (!count.is_would_block()) {
      sent += count.bytes();
    } else {
      static_cast<void>(reactor_->start_poll(*socket_, Readiness::writable, room));
    }
  };
  ASSERT_TRUE(turn_until([&] {
    for (int step = 0; step < 10; ++step) {
      sender_step();
      const ssize_t count = ::recv(peer_.get(), block.data(), 1 + random.below(1 << 20), 0);
      if (count > 0) got.append(block.data(), static_cast<std::size_t>(count));
    }
    return got.size() == text.size();
  }));
  EXPECT_TRUE(finish(send) && finish(room));
  EXPECT_TRUE(got == text);
}

INSTANTIATE_TEST_SUITE_P(, StreamContract, streams_under_test(), name_of_stream);
INSTANTIATE_TEST_SUITE_P(, TcpContract, streams_under_test({StreamKind::tcp}), name_of_stream);
INSTANTIATE_TEST_SUITE_P(, UnixContract, streams_under_test({StreamKind::unix_pair}),
                         name_of_stream);

}  // namespace
}  // namespace weir
