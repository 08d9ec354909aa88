// The contract of every reactor, part three: what goes between a stream and a pipe.

#include <csignal>

#include "runtime/reactor_contract_test.h"

namespace weir {
namespace {

class SpliceContract : public StreamContract {
 protected:
  SpliceContract() {
    std::signal(SIGPIPE, SIG_IGN);
    pipes_.set_max(1);
    pipe_ = pipes_.take();
    EXPECT_TRUE(pipe_);
  }

  // What the pipe holds, which is taken out of it.
  std::string empty_pipe() {
    std::string text(pipe_.held(), '\0');
    const ssize_t count = ::read(pipe_.read_end(), text.data(), text.size());
    EXPECT_EQ(count, static_cast<ssize_t>(text.size()));
    pipe_.take_out(text.size());
    return text;
  }
  void fill_pipe(std::string_view text) {
    ASSERT_EQ(::write(pipe_.write_end(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
    pipe_.put(text.size());
  }
  // Waits until there is something, and has it put into the pipe.
  IoCount splice_in(std::size_t bytes_max = SIZE_MAX) {
    for (;;) {
      const IoCount count = reactor_->try_splice_in(*socket_, pipe_, bytes_max);
      if (!count.is_would_block()) return count;
      poll(Readiness::readable);
      if (HasFailure()) return count;
    }
  }

  PipePool pipes_;
  Pipe pipe_;
};

TEST_P(SpliceContract, BytesGoIntoAPipe) {
  EXPECT_TRUE(reactor_->can_splice());
  write_all(peer_, "hello");
  EXPECT_EQ(splice_in().bytes(), 5u);
  EXPECT_EQ(pipe_.held(), 5u);
  EXPECT_EQ(empty_pipe(), "hello");
}

TEST_P(SpliceContract, NoMoreBytesAreTakenThanWanted) {
  write_all(peer_, "body and next head");
  EXPECT_EQ(splice_in(4).bytes(), 4u);
  EXPECT_EQ(empty_pipe(), "body");
  Receive receive;
  this->receive(receive);
  EXPECT_EQ(text_of(receive), " and next head");
}

TEST_P(SpliceContract, WhatAReceiveLeftComesFirst) {
  write_all(peer_, "head body");
  turn_a_little();
  poll(Readiness::readable);
  std::array<char, 5> head;
  ASSERT_EQ(reactor_->try_receive(*socket_, head).bytes(), 5u);
  EXPECT_EQ(splice_in(3).bytes(), 3u);
  EXPECT_EQ(empty_pipe(), "bod");
  write_all(peer_, " more");
  std::string got;
  while (got.size() < 6) {
    ASSERT_NE(splice_in().bytes(), 0u);
    got += empty_pipe();
  }
  EXPECT_EQ(got, "y more");
}

TEST_P(SpliceContract, AnEmptySocketBlocksAndWakesWhoPolls) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(reactor_->try_splice_in(*socket_, pipe_, SIZE_MAX).is_would_block());
    Wait operation;
    const Started started = reactor_->start_poll(*socket_, Readiness::readable, operation);
    if (started == Started::waiting) turn_a_little();
    write_all(peer_, "x");
    ASSERT_TRUE(finish(operation));
    ASSERT_EQ(splice_in().bytes(), 1u);
    EXPECT_EQ(empty_pipe(), "x");
  }
}

TEST_P(SpliceContract, MoreThanAPipeHoldsComesInSeveralCalls) {
  std::string sent;
  std::string got;
  const std::string block(64 * 1024, 'b');
  set_non_blocking(peer_.get());
  for (int round = 0; round < 100; ++round) {
    const ssize_t count = ::send(peer_.get(), block.data(), block.size(), MSG_NOSIGNAL);
    if (count > 0) sent.append(block, 0, static_cast<std::size_t>(count));
    turn_a_little();
    const IoCount moved = reactor_->try_splice_in(*socket_, pipe_, SIZE_MAX);
    if (!moved.is_would_block()) got += empty_pipe();
  }
  while (got.size() < sent.size()) {
    ASSERT_NE(splice_in().bytes(), 0u);
    got += empty_pipe();
  }
  EXPECT_EQ(got, sent);
}

TEST_P(SpliceContract, TheEndIsNothingAgainAndAgain) {
  write_all(peer_, "last words");
  peer_.close();
  EXPECT_EQ(splice_in().bytes(), 10u);
  EXPECT_EQ(empty_pipe(), "last words");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(splice_in().bytes(), 0u);
  Receive receive;
  this->receive(receive);
  EXPECT_EQ(receive.received, 0u);
}

TEST_P(SpliceContract, BytesComeOutOfAPipe) {
  fill_pipe("hello");
  EXPECT_EQ(reactor_->try_splice_out(*socket_, pipe_).bytes(), 5u);
  EXPECT_EQ(pipe_.held(), 0u);
  EXPECT_EQ(read_at_peer(5), "hello");
}

TEST_P(SpliceContract, BytesOfAPipeStayBetweenWhatIsSentBeforeAndAfter) {
  ASSERT_EQ(try_send("before ").bytes(), 7u);
  fill_pipe("piped ");
  ASSERT_EQ(reactor_->try_splice_out(*socket_, pipe_).bytes(), 6u);
  ASSERT_EQ(try_send("after").bytes(), 5u);
  turn_a_little();
  EXPECT_EQ(read_at_peer(18), "before piped after");
}

TEST_P(SpliceContract, AFullSocketBlocksUntilItsPeerHasRead) {
  const std::size_t before = fill_up();
  fill_pipe("behind all else");
  while (pipe_.held() != 0) {
    const IoCount count = reactor_->try_splice_out(*socket_, pipe_);
    if (!count.is_would_block()) continue;
    Wait operation;
    const Started started = reactor_->start_poll(*socket_, Readiness::writable, operation);
    EXPECT_EQ(started, Started::waiting);
    read_at_peer(before);
    ASSERT_TRUE(finish(operation));
  }
  EXPECT_EQ(read_at_peer(15), "behind all else");
}

TEST_P(SpliceContract, WhoHasGoneTakesNothing) {
  peer_.close();
  turn_a_little();
  // The first bytes may find out.
  for (int i = 0; i < 3 && pipe_.held() == 0; ++i) {
    fill_pipe("x");
    if (reactor_->try_splice_out(*socket_, pipe_).is_failure()) break;
    turn_a_little();
  }
  EXPECT_TRUE(reactor_->try_splice_out(*socket_, pipe_).is_failure());
  EXPECT_EQ(pipe_.held(), 1u);
}

class TcpSpliceContract : public SpliceContract {};

TEST_P(TcpSpliceContract, AResetIsTold) {
  Wait operation;
  reactor_->start_poll(*socket_, Readiness::hang_up, operation);
  reset(peer_);
  ASSERT_TRUE(finish(operation));
  const IoCount count = splice_in();
  ASSERT_TRUE(count.is_failure());
  EXPECT_EQ(count.os_error(), ECONNRESET);
}

TEST_P(TcpSpliceContract, AResetThatASpliceOutWasToldIsNoEnd) {
  Wait operation;
  reactor_->start_poll(*socket_, Readiness::hang_up, operation);
  reset(peer_);
  ASSERT_TRUE(finish(operation));
  fill_pipe("x");
  EXPECT_EQ(reactor_->try_splice_out(*socket_, pipe_).os_error(), ECONNRESET);
  pipe_ = {};
  pipe_ = pipes_.take();
  EXPECT_TRUE(splice_in().is_failure());
}

class UnixSpliceContract : public SpliceContract {};

TEST_P(UnixSpliceContract, ASocketThatTookLessThanAPipeHoldsTakesNothingMore) {
  const auto bytes = static_cast<std::size_t>(::fcntl(pipe_.write_end(), F_GETPIPE_SZ));
  while (pipe_.held() == 0) {
    fill_pipe(std::string(bytes, 'f'));
    ASSERT_FALSE(reactor_->try_splice_out(*socket_, pipe_).is_failure());
  }
  EXPECT_TRUE(try_send("x").is_would_block());
}

INSTANTIATE_TEST_SUITE_P(, SpliceContract, streams_under_test(), name_of_stream);
INSTANTIATE_TEST_SUITE_P(, TcpSpliceContract, streams_under_test({StreamKind::tcp}),
                         name_of_stream);
INSTANTIATE_TEST_SUITE_P(, UnixSpliceContract, streams_under_test({StreamKind::unix_pair}),
                         name_of_stream);

}  // namespace
}  // namespace weir
