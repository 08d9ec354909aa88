#include "runtime/io_uring_reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "runtime/reactor_contract_test.h"

namespace weir {
namespace {

struct Pair {
  explicit Pair(Reactor& reactor) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    peer = Fd(ends[1]);
    socket = &reactor.adopt(Fd(ends[0]));
  }
  Fd peer;
  Socket* socket;
};

class IoUringReactorTest : public ReactorFixture, public testing::TestWithParam<RingSizes> {
 protected:
  static constexpr std::size_t kPairs = 40;

  IoUringReactorTest()
      : ReactorFixture({"io_uring",
                        [](BufferPool& buffers) -> std::unique_ptr<Reactor> {
                          return std::move(IoUringReactor::make(buffers, GetParam())).value();
                        },
                        true}) {
    for (std::size_t i = 0; i < kPairs; ++i) pairs_.emplace_back(*reactor_);
    receives_ = std::vector<Receive>(kPairs);
  }
  ~IoUringReactorTest() override {
    for (Pair& pair : pairs_) reactor_->close(*pair.socket);
  }

  void start_all() {
    for (std::size_t i = 0; i < kPairs; ++i) {
      ASSERT_EQ(reactor_->start_receive(*pairs_[i].socket, receives_[i]), Started::waiting);
    }
  }
  void write_to_all(std::string_view text) {
    for (Pair& pair : pairs_) write_all(pair.peer, text);
  }
  void expect_all_receive(std::string_view text) {
    for (std::size_t i = 0; i < kPairs; ++i) {
      ASSERT_TRUE(finish(receives_[i]));
      EXPECT_EQ(receives_[i].calls, 1);
      EXPECT_EQ(receives_[i].os_error(), 0);
      EXPECT_EQ(text_of(receives_[i]), text);
    }
  }

  std::vector<Pair> pairs_;
  std::vector<Receive> receives_;
};

// More submissions than the queue takes, more completions than the ring takes, more messages than
// there are buffers: all in one turn.
TEST_P(IoUringReactorTest, MoreAtOnceThanTheRingHoldsLosesNothing) {
  start_all();
  turn_a_little();
  write_to_all("hello");
  expect_all_receive("hello");
  const bool has_too_few = GetParam().buffers < kPairs;
  EXPECT_EQ(reactor_->ring_buffers_exhausted() > 0, has_too_few);
}

// Their completions come after the cancel, with bytes, and hold what buffers there are.
TEST_P(IoUringReactorTest, BytesOfCancelledReceivesWaitAndOthersAreStillServed) {
  start_all();
  turn_a_little();
  for (std::size_t i = 0; i < kPairs; ++i) {
    reactor_->cancel(*pairs_[i].socket, receives_[i]);
    EXPECT_EQ(receives_[i].os_error(), ECANCELED);
  }
  write_to_all("for the next");
  turn_a_little();
  const Pair other(*reactor_);
  Receive receive;
  ASSERT_EQ(reactor_->start_receive(*other.socket, receive), Started::waiting);
  write_all(other.peer, "hello");
  ASSERT_TRUE(finish(receive));
  EXPECT_EQ(text_of(receive), "hello");
  reactor_->close(*other.socket);

  std::vector<char> into(100);
  for (std::size_t i = 0; i < kPairs; ++i) {
    EXPECT_EQ(receives_[i].calls, 1);
    EXPECT_EQ(reactor_->try_receive(*pairs_[i].socket, into).bytes(), 12u);
  }
}

// What a closed socket held goes back to the ring, and so does what still comes for it.
TEST_P(IoUringReactorTest, ClosedSocketsKeepNoBufferOfTheRing) {
  for (int round = 0; round < 5; ++round) {
    for (Pair& pair : pairs_) {
      Wait wait;
      ASSERT_EQ(reactor_->start_poll(*pair.socket, Readiness::readable, wait), Started::waiting);
      write_all(pair.peer, "unread");
      if (round % 2 == 0) ASSERT_TRUE(finish(wait));
      reactor_->cancel(*pair.socket, wait);
      reactor_->close(*pair.socket);
      pair = Pair(*reactor_);
    }
  }
  turn_a_little();
  const std::uint64_t exhausted = reactor_->ring_buffers_exhausted();
  const auto first = static_cast<std::ptrdiff_t>(GetParam().buffers);
  for (std::ptrdiff_t i = 0; i < std::min<std::ptrdiff_t>(first, kPairs); ++i) {
    const auto at = static_cast<std::size_t>(i);
    ASSERT_EQ(reactor_->start_receive(*pairs_[at].socket, receives_[at]), Started::waiting);
    write_all(pairs_[at].peer, "hello");
    ASSERT_TRUE(finish(receives_[at]));
  }
  EXPECT_EQ(reactor_->ring_buffers_exhausted(), exhausted);
}

// As a library's set of descriptors is watched. A receive would fail at once, again and again.
TEST_P(IoUringReactorTest, ADescriptorThatIsNoSocketIsPolled) {
  const Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Fd set(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event wanted{.events = EPOLLIN, .data = {}};
  ASSERT_EQ(::epoll_ctl(set.get(), EPOLL_CTL_ADD, event.get(), &wanted), 0);
  Socket& adopted = reactor_->adopt(std::move(set));
  Recorded<Operation> poll;
  ASSERT_EQ(reactor_->start_poll(adopted, Readiness::readable, poll), Started::waiting);
  turn_a_little();
  EXPECT_EQ(poll.calls, 0);
  ASSERT_EQ(::eventfd_write(event.get(), 1), 0);
  ASSERT_TRUE(finish(poll));
  EXPECT_EQ(poll.os_error(), 0);
  reactor_->close(adopted);
}

// Of a closed socket with unsent bytes whose peer may rest for no time at all.
class ImpatientIoUringReactorTest : public ReactorFixture,
                                    public testing::TestWithParam<RingSizes> {
 protected:
  ImpatientIoUringReactorTest()
      : ReactorFixture({"io_uring",
                        [](BufferPool& buffers) -> std::unique_ptr<Reactor> {
                          return std::move(IoUringReactor::make(buffers, GetParam(), {})).value();
                        },
                        true}) {
    const std::string message(IoRing::kBufferBytes, 'm');
    const iovec part{const_cast<char*>(message.data()), message.size()};
    while (!reactor_->try_send(*pair_.socket, {&part, 1}).is_would_block()) {
      taken_ += message.size();
    }
    reactor_->close(*pair_.socket);
  }
  std::size_t read_some() {
    std::vector<char> block(IoRing::kBufferBytes);
    return static_cast<std::size_t>(
        std::max<ssize_t>(::recv(pair_.peer.get(), block.data(), block.size(), 0), 0));
  }

  Pair pair_{*reactor_};
  std::size_t taken_ = 0;
};

TEST_P(ImpatientIoUringReactorTest, APeerThatTakesNothingIsGivenUp) {
  ASSERT_TRUE(turn_until([&] { return !reactor_->is_sending_after_close(); }));
  std::size_t got = 0;
  for (std::size_t count; (count = read_some()) != 0;) got += count;
  EXPECT_LT(got, taken_);
}

TEST_P(ImpatientIoUringReactorTest, APeerThatTakesALittleNowAndThenGetsAll) {
  std::size_t got = 0;
  ASSERT_TRUE(turn_until([&] {
    got += read_some();
    return !reactor_->is_sending_after_close();
  }));
  for (std::size_t count; (count = read_some()) != 0;) got += count;
  EXPECT_EQ(got, taken_);
}

std::vector<RingSizes> sizes_under_test() {
  if (!has_io_uring()) return {};
  return {RingSizes{}, RingSizes{4, 8, 2}};
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(IoUringReactorTest);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ImpatientIoUringReactorTest);
constexpr auto kNameOfSizes = [](const testing::TestParamInfo<RingSizes>& instance) {
  return instance.param.buffers == 2 ? "small" : "as_shipped";
};
INSTANTIATE_TEST_SUITE_P(, IoUringReactorTest, testing::ValuesIn(sizes_under_test()), kNameOfSizes);
INSTANTIATE_TEST_SUITE_P(, ImpatientIoUringReactorTest, testing::ValuesIn(sizes_under_test()),
                         kNameOfSizes);

TEST(SystemReactor, CanBeMadeIfATrialWentWell) {
  for (const ReactorKind kind : {ReactorKind::epoll, ReactorKind::io_uring}) {
    BufferPool buffers(1 << 20);
    EXPECT_EQ(try_reactor(kind).has_value(), make_reactor(kind, buffers).has_value());
  }
}

}  // namespace
}  // namespace weir
