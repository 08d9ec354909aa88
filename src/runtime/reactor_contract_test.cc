// The contract of every reactor, part one: turns, accepting and connecting.

#include "runtime/reactor_contract_test.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <poll.h>
#include <set>
#include <sys/un.h>
#include <thread>

#include "runtime/descriptor_test_support.h"
#include "runtime/epoll_reactor.h"
#include "runtime/io_uring_reactor.h"

namespace weir {

namespace {

template <RingSizes kSizes>
std::unique_ptr<Reactor> make_on_io_uring(BufferPool& buffers) {
  return std::move(IoUringReactor::make(buffers, kSizes)).value();
}

}  // namespace

std::vector<ReactorMaker> reactors_under_test() {
  std::vector<ReactorMaker> reactors{{"epoll", [](BufferPool& buffers) -> std::unique_ptr<Reactor> {
                                        return std::move(EpollReactor::make(buffers)).value();
                                      }}};
  if (has_io_uring()) {
    reactors.push_back({"io_uring", &make_on_io_uring<RingSizes{}>, true});
    // Each limit is reached all the time.
    reactors.push_back({"io_uring_small", &make_on_io_uring<RingSizes{1, 2, 1}>, true});
  }
  return reactors;
}

namespace {

using namespace std::chrono_literals;

TEST_P(ReactorContract, ATurnEndsWhenItsTimeHasCome) {
  const TimePoint until = reactor_->now() + 5ms;
  ASSERT_TRUE(turn_until([&] { return reactor_->now() >= until; }));
  EXPECT_GE(std::chrono::steady_clock::now(), until);
}

TEST_P(ReactorContract, ATurnWhoseTimeHasPassedDoesNotWait) {
  const TimePoint before = reactor_->now();
  reactor_->turn(before - 1h);
  EXPECT_LT(reactor_->now(), before + 10s);
}

TEST_P(ReactorContract, WhatCallbacksTookIsNotWaitedOnceMore) {
  // The machine may stop this thread in any of the turns, but hardly in all of them.
  Duration shortest = Duration::max();
  for (int i = 0; i < 5 && shortest >= 150ms; ++i) {
    const TimePoint until = reactor_->now() + 200ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    const TimePoint before = std::chrono::steady_clock::now();
    reactor_->turn(until);
    shortest = std::min(shortest, std::chrono::steady_clock::now() - before);
  }
  EXPECT_LT(shortest, 150ms);
}

TEST_P(ReactorContract, TheClocksAreThoseOfTheMachine) {
  reactor_->turn(reactor_->now());
  EXPECT_LT(std::chrono::steady_clock::now() - reactor_->now(), 10s);
  EXPECT_LT(std::chrono::system_clock::now() - reactor_->wall_now(), 10s);
}

TEST_P(ReactorContract, AWakeBeforeTheTurnEndsIt) {
  reactor_->wake();
  reactor_->wake();
  reactor_->turn(kNever);
}

TEST_P(ReactorContract, AWakeFromAnotherThreadEndsEachWait) {
  std::atomic<int> asked{0};
  std::thread waker([&] {
    for (int i = 1; i <= 1000; ++i) {
      asked.store(i);
      reactor_->wake();
    }
  });
  while (asked.load() < 1000) reactor_->turn(kNever);
  waker.join();
}

TEST_P(ReactorContract, OneAcceptTakesManyConnections) {
  Fd listener = listening_socket();
  const sockaddr_in address = local_address(listener.get());
  Socket& socket = reactor_->adopt(std::move(listener));
  Accept accept;
  ASSERT_EQ(reactor_->start_accept(socket, accept), Started::waiting);
  std::vector<Fd> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(connect_to(address));
  ASSERT_TRUE(turn_until([&] { return accept.connections.size() == clients.size(); }));
  EXPECT_TRUE(accept.is_pending());

  std::set<std::uint16_t> of_clients;
  std::set<std::uint16_t> of_peers;
  for (const Fd& client : clients) of_clients.insert(local_address(client.get()).sin_port);
  for (const auto& peer : accept.peers) {
    EXPECT_EQ(peer.ss_family, AF_INET);
    of_peers.insert(reinterpret_cast<const sockaddr_in&>(peer).sin_port);
  }
  EXPECT_EQ(of_clients, of_peers);
  for (const Fd& connection : accept.connections) {
    EXPECT_NE(::fcntl(connection.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(connection.get(), F_GETFD) & FD_CLOEXEC, 0);
  }
  cancel(socket, accept);
  reactor_->close(socket);
}

TEST_P(ReactorContract, ACancelledAcceptEndsOnceAndCanBeStartedAgain) {
  Fd listener = listening_socket();
  const sockaddr_in address = local_address(listener.get());
  Socket& socket = reactor_->adopt(std::move(listener));
  Accept accept;
  ASSERT_EQ(reactor_->start_accept(socket, accept), Started::waiting);
  cancel(socket, accept);
  EXPECT_EQ(accept.ends, 1);
  EXPECT_EQ(accept.os_error(), ECANCELED);

  const Fd client = connect_to(address);
  turn_a_little();
  EXPECT_TRUE(accept.connections.empty());
  ASSERT_EQ(reactor_->start_accept(socket, accept), Started::waiting);
  ASSERT_TRUE(turn_until([&] { return accept.connections.size() == 1; }));
  cancel(socket, accept);
  EXPECT_EQ(accept.ends, 2);
  reactor_->close(socket);
}

// A level-triggered registration would end every wait at once.
TEST_P(ReactorContract, AListenerThatNobodyAcceptsFromKeepsNoTurnFromWaiting) {
  Fd listener = listening_socket();
  const sockaddr_in address = local_address(listener.get());
  Socket& socket = reactor_->adopt(std::move(listener));
  Accept accept;
  ASSERT_EQ(reactor_->start_accept(socket, accept), Started::waiting);
  cancel(socket, accept);
  const Fd client = connect_to(address);
  ::shutdown(socket.fd(), SHUT_RD);  // which hangs up, whatever is asked for
  turn_a_little();
  const TimePoint until = reactor_->now() + 20ms;
  int turns = 0;
  for (; reactor_->now() < until; ++turns) reactor_->turn(until);
  EXPECT_LE(turns, 3);
  reactor_->close(socket);
}

TEST_P(ReactorContract, TheCallbackOfAConnectionMayCloseTheListener) {
  Fd listener = listening_socket();
  const sockaddr_in address = local_address(listener.get());
  Socket& socket = reactor_->adopt(std::move(listener));
  Accept accept;
  bool closed = false;
  accept.then = [&] {
    if (!std::exchange(closed, true)) reactor_->cancel(socket, accept);
  };
  ASSERT_EQ(reactor_->start_accept(socket, accept), Started::waiting);
  const Fd first = connect_to(address);
  const Fd second = connect_to(address);
  ASSERT_TRUE(finish(accept));
  EXPECT_EQ(accept.ends, 1);
  EXPECT_GE(accept.connections.size(), 1u);
  reactor_->close(socket);
  turn_a_little();
  EXPECT_EQ(accept.ends, 1);
}

TEST_P(ReactorContract, AcceptEndsWithEmfileAndCanBeStartedAgain) {
  Fd listener = listening_socket();
  const sockaddr_in address = local_address(listener.get());
  Socket& socket = reactor_->adopt(std::move(listener));
  const Fd client = connect_to(address);
  Accept accept;
  {
    const NoDescriptorLeft exhausted;
    if (reactor_->start_accept(socket, accept) == Started::waiting) {
      ASSERT_TRUE(finish(accept));
      EXPECT_EQ(accept.ends, 1);
    }
    EXPECT_EQ(accept.os_error(), EMFILE);
    EXPECT_TRUE(accept.connections.empty());
  }
  ASSERT_EQ(reactor_->start_accept(socket, accept), Started::waiting);
  ASSERT_TRUE(turn_until([&] { return accept.connections.size() == 1; }));
  cancel(socket, accept);
  reactor_->close(socket);
}

// A successor that got the listening socket keeps it open after our close.
TEST_P(ReactorContract, AClosedListenerThatLivesOnElsewhereIsForgotten) {
  Fd listener = listening_socket();
  const sockaddr_in address = local_address(listener.get());
  const Fd handed_over(::dup(listener.get()));
  Socket& socket = reactor_->adopt(std::move(listener));
  Accept accept;
  ASSERT_EQ(reactor_->start_accept(socket, accept), Started::waiting);
  cancel(socket, accept);
  reactor_->close(socket);
  turn_a_little();
  const Fd client = connect_to(address);
  turn_a_little();
  EXPECT_TRUE(accept.connections.empty());
}

TEST_P(ReactorContract, MakingASocketTellsExhaustionFromOtherFailures) {
  const NoDescriptorLeft exhausted;
  const auto none_left = reactor_->make_stream_socket(AF_INET);
  ASSERT_FALSE(none_left);
  EXPECT_EQ(none_left.error(), make_error(ErrorKind::descriptors_exhausted, Side::weir, EMFILE));
  const auto unknown_family = reactor_->make_stream_socket(AF_MAX + 1);
  ASSERT_FALSE(unknown_family);
  EXPECT_EQ(unknown_family.error(), make_error(ErrorKind::io, Side::weir, EAFNOSUPPORT));
}

TEST_P(ReactorContract, ConnectingCompletesAndTheConnectionWorks) {
  const Fd listener = listening_socket();
  const sockaddr_in address = local_address(listener.get());
  Socket& socket = **reactor_->make_stream_socket(AF_INET);
  Wait connect;
  const Started started = reactor_->start_connect(socket, view(address), connect);
  ASSERT_TRUE(finish(connect));
  EXPECT_EQ(connect.calls, started == Started::waiting ? 1 : 0);
  EXPECT_EQ(connect.os_error(), 0);

  ASSERT_EQ(::fcntl(listener.get(), F_SETFL, 0), 0);
  const Fd peer(::accept(listener.get(), nullptr, nullptr));
  Send send;
  send.message = std::string_view("ping");
  reactor_->start_send(socket, send);
  ASSERT_TRUE(finish(send));
  Receive receive;
  ASSERT_EQ(reactor_->start_receive(socket, receive), Started::waiting);
  write_all(peer, "pong");
  ASSERT_TRUE(finish(receive));
  EXPECT_EQ(text_of(receive), "pong");
  reactor_->close(socket);
}

TEST_P(ReactorContract, ARefusedConnectionSaysSo) {
  const Fd nobody_listens = bound_socket();
  const sockaddr_in address = local_address(nobody_listens.get());
  Socket& socket = **reactor_->make_stream_socket(AF_INET);
  Wait connect;
  const Started started = reactor_->start_connect(socket, view(address), connect);
  ASSERT_TRUE(finish(connect));
  EXPECT_EQ(connect.calls, started == Started::waiting ? 1 : 0);
  EXPECT_EQ(connect.os_error(), ECONNREFUSED);
  reactor_->close(socket);
}

// The kernel drops the handshakes of a listener whose queue is full.
TEST_P(ReactorContract, ACancelledConnectEndsOnce) {
  const Fd listener = listening_socket(0);
  const sockaddr_in address = local_address(listener.get());
  std::vector<Fd> crowd;
  for (int i = 0; i < 4; ++i) {
    crowd.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(crowd.back().get(), view(address).address, view(address).length);
  }
  // The first of them reaches the queue a moment after connect() has returned.
  pollfd queue{.fd = listener.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&queue, 1, 20'000), 1);
  Socket& socket = **reactor_->make_stream_socket(AF_INET);
  Wait connect;
  ASSERT_EQ(reactor_->start_connect(socket, view(address), connect), Started::waiting);
  turn_a_little();
  ASSERT_TRUE(connect.is_pending());
  cancel(socket, connect);
  EXPECT_EQ(connect.calls, 1);
  EXPECT_EQ(connect.os_error(), ECANCELED);
  reactor_->close(socket);
  turn_a_little();
  EXPECT_EQ(connect.calls, 1);
}

TEST_P(ReactorContract, UnixSocketsConnectAndAreAccepted) {
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t length = sizeof(sa_family_t);  // the kernel finds a free abstract name
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  length = sizeof address;
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  Socket& listening = reactor_->adopt(std::move(listener));
  Accept accept;
  ASSERT_EQ(reactor_->start_accept(listening, accept), Started::waiting);

  Socket& socket = **reactor_->make_stream_socket(AF_UNIX);
  Wait connect;
  reactor_->start_connect(socket, {reinterpret_cast<sockaddr*>(&address), length}, connect);
  ASSERT_TRUE(finish(connect));
  EXPECT_EQ(connect.os_error(), 0);
  ASSERT_TRUE(turn_until([&] { return accept.connections.size() == 1; }));
  const auto& peer = reinterpret_cast<const sockaddr_un&>(accept.peers[0]);
  EXPECT_EQ(peer.sun_family, AF_UNIX);
  EXPECT_STREQ(peer.sun_path, "");  // it has no name
  cancel(listening, accept);
  reactor_->close(socket);
  reactor_->close(listening);
}

INSTANTIATE_TEST_SUITE_P(, ReactorContract, testing::ValuesIn(reactors_under_test()),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace weir
