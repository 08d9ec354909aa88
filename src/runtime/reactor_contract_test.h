#pragma once
// What the contract tests of every reactor stand on: the reactor under test, records that count
// their callbacks, and plain sockets of the operating system as peers.

#include <arpa/inet.h>
#include <chrono>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <vector>

#include "base/fd.h"
#include "runtime/system_reactor.h"

namespace weir {

struct ReactorMaker {
  const char* name;
  std::unique_ptr<Reactor> (*make)(BufferPool& buffers);
  bool interrupts_at_end = false;  // its thread, as the kernel does when a ring ends
};
inline void PrintTo(const ReactorMaker& maker, std::ostream* out) { *out << maker.name; }

// Some machines, most of all containers, refuse it; it is tested on others then.
inline bool has_io_uring() { return try_reactor(ReactorKind::io_uring).has_value(); }

// Every reactor that exists; a new one is added there and is held to all of it.
std::vector<ReactorMaker> reactors_under_test();

// An operation that counts its callbacks, and may do more in them.
template <class Base>
struct Recorded : Base {
  Recorded() : Base(&on_end) {}
  static void on_end(Operation& operation) noexcept {
    auto& self = static_cast<Recorded&>(operation);
    ++self.calls;
    if (self.then) self.then();
  }
  int calls = 0;
  std::function<void()> then;
};
using Wait = Recorded<Operation>;
using Receive = Recorded<ReceiveOperation>;
using Send = Recorded<SendOperation>;

struct Accept : AcceptOperation {
  Accept() : AcceptOperation(&on_accepted, &on_end) {}
  static void on_accepted(AcceptOperation& operation, Fd connection,
                          const sockaddr_storage& peer) noexcept {
    auto& self = static_cast<Accept&>(operation);
    self.connections.push_back(std::move(connection));
    self.peers.push_back(peer);
    if (self.then) self.then();
  }
  static void on_end(Operation& operation) noexcept { ++static_cast<Accept&>(operation).ends; }
  std::vector<Fd> connections;
  std::vector<sockaddr_storage> peers;
  int ends = 0;
  std::function<void()> then;
};

inline sockaddr_in loopback(std::uint16_t port = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline SocketAddressView view(const sockaddr_in& address) {
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

inline sockaddr_in local_address(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  return address;
}

// A bound socket on an ephemeral port; nothing listens there yet.
inline Fd bound_socket() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback();
  EXPECT_EQ(::bind(fd.get(), view(address).address, view(address).length), 0);
  return fd;
}

inline Fd listening_socket(int backlog = 1024) {
  Fd fd = bound_socket();
  EXPECT_EQ(::listen(fd.get(), backlog), 0);
  return fd;
}

// A blocking connection to what listens at the address.
inline Fd connect_to(const sockaddr_in& address) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(fd.get(), view(address).address, view(address).length), 0);
  return fd;
}

inline void set_non_blocking(int fd) { ASSERT_EQ(::fcntl(fd, F_SETFL, O_NONBLOCK), 0); }

inline void write_all(const Fd& peer, std::string_view text) {
  ASSERT_EQ(::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

inline void reset(Fd& peer) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
  peer.close();
}

inline std::string_view text_of(const Receive& receive) {
  return {receive.buffer.data(), receive.filled};
}

class ReactorFixture {
 protected:
  explicit ReactorFixture(const ReactorMaker& maker)
      : reactor_(maker.make(buffers_)), interrupts_at_end_(maker.interrupts_at_end) {}
  // What interrupts is awaited here, or it would end a wait of the next test.
  ~ReactorFixture() {
    reactor_.reset();
    if (!interrupts_at_end_) return;
    const Fd nothing(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event;
    ::epoll_wait(nothing.get(), &event, 1, 200);
  }

  // Turns until the condition holds; false if that takes too long.
  template <class Condition>
  [[nodiscard]] bool turn_until(Condition&& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      reactor_->turn(reactor_->now() + std::chrono::milliseconds(10));
    }
    return true;
  }
  [[nodiscard]] bool finish(const Operation& operation) {
    return turn_until([&] { return !operation.is_pending(); });
  }
  // Whatever is ready by now has its turn.
  void turn_a_little() {
    for (int turns = 0; turns < 5; ++turns) reactor_->turn(reactor_->now());
  }
  void cancel(Socket& socket, Operation& operation) {
    reactor_->cancel(socket, operation);
    EXPECT_TRUE(finish(operation));
  }

  BufferPool buffers_{std::size_t{4} << 20};
  std::unique_ptr<Reactor> reactor_;

 private:
  bool interrupts_at_end_;
};

class ReactorContract : public ReactorFixture, public testing::TestWithParam<ReactorMaker> {
 protected:
  ReactorContract() : ReactorFixture(GetParam()) {}
};

enum class StreamKind { tcp, unix_pair };

// The same over TCP and over unix sockets: socket_ belongs to the reactor, peer_ is its other end,
// blocking.
class StreamContract : public ReactorFixture,
                       public testing::TestWithParam<std::tuple<ReactorMaker, StreamKind>> {
 protected:
  StreamContract() : ReactorFixture(std::get<0>(GetParam())) {
    if (std::get<1>(GetParam()) == StreamKind::tcp) {
      const Fd listener = listening_socket();
      peer_ = connect_to(local_address(listener.get()));
      // The connection reaches the queue a moment after connect() has returned.
      EXPECT_EQ(::fcntl(listener.get(), F_SETFL, 0), 0);
      adopt(Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)));
    } else {
      int ends[2] = {-1, -1};
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
      peer_ = Fd(ends[1]);
      set_non_blocking(ends[0]);
      adopt(Fd(ends[0]));
    }
  }
  ~StreamContract() override {
    if (socket_ != nullptr) reactor_->close(*socket_);
  }

  void adopt(Fd fd) {
    EXPECT_TRUE(fd.is_open());
    socket_ = &reactor_->adopt(std::move(fd));
  }
  void close_socket() { reactor_->close(*std::exchange(socket_, nullptr)); }

  // Starts it and turns until it is over; checks that it was called back if and only if it waited.
  void receive(Receive& operation) {
    const int calls = operation.calls;
    const Started started = reactor_->start_receive(*socket_, operation);
    ASSERT_TRUE(finish(operation));
    EXPECT_EQ(operation.calls, calls + (started == Started::waiting ? 1 : 0));
  }
  void poll(Readiness readiness) {
    Wait operation;
    const Started started = reactor_->start_poll(*socket_, readiness, operation);
    ASSERT_TRUE(finish(operation));
    EXPECT_EQ(operation.calls, started == Started::waiting ? 1 : 0);
    EXPECT_EQ(operation.os_error(), 0);
  }
  IoCount try_send(std::string_view text) {
    const iovec part{const_cast<char*>(text.data()), text.size()};
    return reactor_->try_send(*socket_, {&part, 1});
  }
  // Sends until the socket takes no more; how much that was.
  std::size_t fill_up() {
    const std::string block(64 * 1024, 'f');
    std::size_t total = 0;
    for (;;) {
      const IoCount count = try_send(block);
      if (!count.is_would_block()) {
        total += count.bytes();
        continue;
      }
      return total;
    }
  }
  // The same with a few big messages and many small ones; what of them was taken.
  std::string fill_up_with_all_sizes() {
    std::string taken;
    for (int i = 0;; ++i) {
      const std::string message(i < 2 ? 64 * 1024 : 1000, static_cast<char>('a' + i % 26));
      const IoCount count = try_send(message);
      if (count.is_would_block()) return taken;
      taken.append(message, 0, count.bytes());
    }
  }
  // Appends what has come to the peer. False: it was the end.
  bool read_at_peer(std::string& text) {
    set_non_blocking(peer_.get());
    std::vector<char> block(64 * 1024);
    ssize_t count;
    while ((count = ::recv(peer_.get(), block.data(), block.size(), 0)) > 0) {
      text.append(block.data(), static_cast<std::size_t>(count));
    }
    return count != 0;
  }
  std::string read_at_peer_to_the_end() {
    std::string text;
    EXPECT_TRUE(turn_until([&] { return !read_at_peer(text); }));
    return text;
  }
  // Reads exactly so many bytes at the peer.
  std::string read_at_peer(std::size_t bytes) {
    reactor_->turn(reactor_->now());  // what was taken before has left by its end
    std::string text(bytes, '\0');
    EXPECT_EQ(::recv(peer_.get(), text.data(), bytes, MSG_WAITALL), static_cast<ssize_t>(bytes));
    return text;
  }

  Socket* socket_ = nullptr;
  Fd peer_;
};

// What only TCP can do.
class TcpContract : public StreamContract {};
// What only a unix socket promises: it has room when its peer has read, and not before.
class UnixContract : public StreamContract {};

inline std::string name_of_stream(
    const testing::TestParamInfo<std::tuple<ReactorMaker, StreamKind>>& instance) {
  const bool is_tcp = std::get<1>(instance.param) == StreamKind::tcp;
  return std::string(std::get<0>(instance.param).name) + (is_tcp ? "_tcp" : "_unix");
}

// Every reactor on these kinds of stream.
inline auto streams_under_test(std::vector<StreamKind> kinds = {StreamKind::tcp,
                                                                StreamKind::unix_pair}) {
  return testing::Combine(testing::ValuesIn(reactors_under_test()), testing::ValuesIn(kinds));
}

}  // namespace weir
