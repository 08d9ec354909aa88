#pragma once
// What the tests of HTTP services stand on: clients with plain sockets of the operating system,
// beside a worker that is turned on the same thread.

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>

#include "base/fd.h"
#include "runtime/reactor_test_support.h"
#include "runtime/worker.h"

namespace weir::admin {

// A worker and a listening socket for it.
class HttpServiceFixture : public testing::Test {
 protected:
  HttpServiceFixture() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.is_open()) std::abort();
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address_;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address_), length), 0);
    EXPECT_EQ(::listen(fd.get(), 1024), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address_), &length), 0);
    listening_ = &worker_->reactor().adopt(std::move(fd));
  }

  class Client {
   public:
    explicit Client(HttpServiceFixture& test)
        : test_(test), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
      EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&test.address_),
                          sizeof test.address_),
                0);
    }
    Client(Client&&) = default;

    // Sends all of it, turning the worker while it takes nothing.
    void send(std::string_view text) {
      EXPECT_TRUE(test_.turn_until([&] {
        const ssize_t sent =
            ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
        return text.empty() || (sent < 0 && errno != EAGAIN);
      }));
    }
    // Everything received so far; reads what is there.
    const std::string& received() {
      char bytes[16384];
      for (;;) {
        const ssize_t count = ::recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
        if (count > 0) received_.append(bytes, static_cast<std::size_t>(count));
        if (count == 0) ended_ = true;
        if (count < 0 && errno != EAGAIN) reset_ = true;
        if (count <= 0) return received_;
      }
    }
    // Receives until the text ends like that.
    std::string read_until(std::string_view end) {
      EXPECT_TRUE(test_.turn_until([&] { return received().ends_with(end); })) << received_;
      return std::exchange(received_, {});
    }
    std::string read_to_end() {
      EXPECT_TRUE(test_.turn_until([&] { return received(), ended_ || reset_; })) << received_;
      EXPECT_FALSE(reset_);
      return std::exchange(received_, {});
    }
    bool is_over() { return received(), ended_ || reset_; }
    void shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }

   private:
    HttpServiceFixture& test_;
    Fd fd_;
    std::string received_;
    bool ended_ = false;
    bool reset_ = false;
  };

  // False if it takes far longer than anything here should.
  template <class Condition>
  [[nodiscard]] bool turn_until(Condition&& holds) {
    const TimePoint give_up = worker_->now() + std::chrono::seconds(20);
    Timer tick([](Timer&) noexcept {});  // a client on this thread wakes nobody
    while (!holds()) {
      if (worker_->now() > give_up) return false;
      tick.arm(worker_->timers(), worker_->now() + std::chrono::milliseconds(1));
      worker_->turn();
    }
    return true;
  }
  // Whatever is ready has its turn.
  void turn_a_little() {
    int turns = 0;
    EXPECT_TRUE(turn_until([&] { return ++turns > 5; }));
  }

  std::unique_ptr<Worker> worker_ =
      Worker::make(reactor_under_test(), 0, std::size_t{16} << 20, 42).value();
  sockaddr_in address_{};
  Socket* listening_ = nullptr;
};

}  // namespace weir::admin
