#pragma once
// What the tests of streams and of all that is built on them share: a worker that is turned until
// something holds, and plain sockets of the operating system as its peers.

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <deque>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "net/socket_stream.h"
#include "runtime/reactor_test_support.h"
#include "runtime/scope.h"
#include "runtime/worker.h"

namespace weir::net::test {

using namespace std::chrono_literals;

// A worker on the real reactor. What a test waits for has 20 seconds: far more than any needs.
class TestWorker {
 public:
  explicit TestWorker(std::size_t buffer_bytes_max = std::size_t{64} << 20, std::uint32_t index = 0)
      : worker_(Worker::make(reactor_under_test(), index, buffer_bytes_max, 1).value()) {
    worker_->pipes().set_max(kPipesMax);
    std::signal(SIGPIPE, SIG_IGN);  // as the process does
  }

  static constexpr std::size_t kPipesMax = 8;
  Worker& operator*() noexcept { return *worker_; }
  Worker* operator->() noexcept { return worker_.get(); }

  template <class Condition>
  [[nodiscard]] bool turn_until(Condition&& holds) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      // Peers outside the reactor wake nobody.
      wake_up_.arm(worker_->timers(), worker_->now() + 2ms);
      worker_->turn();
    }
    return true;
  }
  // Whatever is ready by now has its turn.
  void turn_a_little() {
    Deferred nothing([](Deferred&) noexcept {});
    for (int turns = 0; turns < 10; ++turns) {
      worker_->defer(nothing);  // so that nothing is waited for
      worker_->turn();
    }
  }
  // Runs function(), a task, to its end.
  template <class Function>
  void run(Function function) {
    Scope scope;
    scope.spawn(std::move(function));
    EXPECT_TRUE(turn_until([&] { return scope.running() == 0; }));
  }

  // In use, but for the worker's own shared buffer.
  std::size_t buffer_bytes() const noexcept {
    return worker_->buffers().bytes_in_use() - BufferPool::kLargest;
  }

 private:
  std::unique_ptr<Worker> worker_;
  Timer wake_up_{[](Timer&) noexcept {}};
};

// The other end of a connection: a non-blocking socket that no reactor knows.
class Peer {
 public:
  Peer() = default;
  explicit Peer(Fd fd) : fd_(std::move(fd)) {
    EXPECT_TRUE(fd_.is_open());
    EXPECT_EQ(::fcntl(fd_.get(), F_SETFL, O_NONBLOCK), 0);
  }

  // All of it must fit into the kernel's buffers.
  void send(std::string_view text) {
    EXPECT_EQ(try_send(text), text.size()) << "errno " << os_error;
  }
  // As much as the kernel takes now.
  std::size_t try_send(std::string_view text) {
    const ssize_t count = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) os_error = errno;
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  // Reads all that is there, or up to `bytes_max`.
  Peer& read(std::size_t bytes_max = SIZE_MAX) {
    char block[16 * 1024];
    while (bytes_max > 0) {
      const ssize_t count = ::recv(fd_.get(), block, std::min(sizeof block, bytes_max), 0);
      if (count < 0 && errno != EAGAIN) os_error = errno;
      ended = ended || count == 0;
      if (count <= 0) break;
      in.append(block, static_cast<std::size_t>(count));
      bytes_max -= static_cast<std::size_t>(count);
    }
    return *this;
  }
  // While the same text is asked for, looks only at what has come since.
  bool has(std::string_view text) {
    read();
    if (text != looked_for_ || in.size() < looked_at_) looked_at_ = 0;
    looked_for_ = text;
    const std::size_t from = looked_at_ - std::min(looked_at_, text.size());
    const bool found = in.find(text, from) != std::string::npos;
    looked_at_ = found ? 0 : in.size();
    return found;
  }
  bool is_over() { return read().ended || os_error != 0; }

  void shutdown_write() { EXPECT_EQ(::shutdown(fd_.get(), SHUT_WR), 0); }
  void close() { fd_.close(); }
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    EXPECT_EQ(::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    fd_.close();
  }
  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return fd_.is_open(); }

  std::string in;      // received so far
  bool ended = false;  // the other side shut its writing down
  int os_error = 0;    // of the last call that failed

 private:
  std::string looked_for_;
  std::size_t looked_at_ = 0;  // bytes of `in`, without success
  Fd fd_;
};

// Sends the block again and again until everything stands still, since nobody reads. How much.
inline std::size_t send_until_still(TestWorker& worker, Peer& from, std::string_view block) {
  std::size_t sent = 0;
  int still = 0;
  EXPECT_TRUE(worker.turn_until([&] {
    const std::size_t count = from.try_send(block);
    sent += count;
    still = count == 0 ? still + 1 : 0;
    return still > 20;
  }));
  return sent;
}

inline Address local_address(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  return Address(address);
}

// Bound to a free port of 127.0.0.1.
inline Fd bound_socket() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const Address any = Address::parse("127.0.0.1:0").value();
  EXPECT_EQ(::bind(fd.get(), any.view().address, any.view().length), 0);
  return fd;
}

inline Fd listening_socket(int backlog = 1024) {
  Fd fd = bound_socket();
  EXPECT_EQ(::listen(fd.get(), backlog), 0);
  return fd;
}

// An address where nobody listens, as long as the socket lives.
struct ClosedPort {
  Fd socket = bound_socket();
  Address address = local_address(socket.get());
};

inline Peer connect_peer(const Address& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(fd.get(), address.view().address, address.view().length), 0);
  return Peer(std::move(fd));
}

// An address that takes no connection and refuses none, as long as it lives: its queue is full.
struct SilentPort {
  SilentPort() {
    // The connection reaches the queue a moment after connect() has returned.
    pollfd queue{.fd = listening.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&queue, 1, 20'000), 1);
  }
  Fd listening = listening_socket(0);
  Address address = local_address(listening.get());
  Peer fills_the_queue = connect_peer(address);
};

// The next connection in the queue, or a Peer that is not open.
inline Peer accept_peer(int listening) {
  Fd fd(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
  return fd.is_open() ? Peer(std::move(fd)) : Peer();
}

// Something that listens, and the connections that it was given.
struct FakeServer {
  Fd listening = listening_socket();
  Address address = local_address(listening.get());
  std::deque<Peer> peers;      // in the order they came
  std::size_t handed_out = 0;  // of those, to a test that takes one after the other

  std::size_t accept_all() {
    for (Peer peer = accept_peer(listening.get()); peer.is_open();
         peer = accept_peer(listening.get())) {
      peers.push_back(std::move(peer));
    }
    return peers.size();
  }
};

// A stream of the worker over TCP, and its other end.
struct Connection {
  Connection(Worker& worker, Side side) {
    const Fd listening = listening_socket();
    peer = connect_peer(local_address(listening.get()));
    // The connection reaches the queue a moment after connect() has returned.
    EXPECT_EQ(::fcntl(listening.get(), F_SETFL, 0), 0);
    Fd accepted(::accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    EXPECT_TRUE(accepted.is_open());
    stream =
        std::make_unique<SocketStream>(worker, worker.reactor().adopt(std::move(accepted)), side);
  }
  Peer peer;
  std::unique_ptr<SocketStream> stream;
};

}  // namespace weir::net::test
