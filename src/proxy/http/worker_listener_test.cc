// Listeners are tried with HTTP connections, hence the folder.

#include "proxy/worker_listener.h"

#include <gtest/gtest.h>

#include "proxy/http/serve_http_test_support.h"
#include "runtime/descriptor_test_support.h"

namespace weir::proxy {
namespace {

using test::FakeServer;
using test::kGet;
using test::kOk;
using test::Peer;
using namespace std::chrono_literals;

class WorkerListenerTest : public test::HttpFixture {
 protected:
  // A client whose request is answered, so that its connection is idle.
  Peer make_idle_client(FakeServer& server) {
    Peer client = connect_and_send(kGet);
    Peer& peer = server.peers.empty() ? accept(server) : server.peers[0];
    EXPECT_TRUE(receives(peer, "\r\n\r\n"));
    peer.in.clear();
    peer.send(kOk);
    EXPECT_TRUE(receives(client, "ok"));
    client.in.clear();
    return client;
  }
};

TEST_F(WorkerListenerTest, CountsConnections) {
  FakeServer server;
  start_with(server);
  {
    const Peer one = connect();
    const Peer two = connect();
    ASSERT_TRUE(turn_until([&] { return proxy_->connections_open() == 2; }));
  }
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(listener_cells().connections.read(), 2u);
  EXPECT_EQ(listener_cells().connections_closed.read(), 2u);
}

TEST_F(WorkerListenerTest, AClientWithTooManyConnectionsIsResetUntilOneHasGone) {
  FakeServer server;
  client_limit_ = std::make_shared<ClientLimit>(ClientPrefixes{}, 8);
  listener_.limits.connections_per_client = 1;
  start_with(server);
  {
    Peer first = make_idle_client(server);
    Peer second = connect_and_send(kGet);
    EXPECT_TRUE(is_reset(second));
    EXPECT_EQ(listener_cells().connections_refused.read(), 1u);
    // Under a reload the count stays.
    reload();
    Peer third = connect_and_send(kGet);
    EXPECT_TRUE(is_reset(third));
  }
  ASSERT_TRUE(has_no_connections());
  const Peer next = make_idle_client(server);
}

TEST_F(WorkerListenerTest, AClientThatCannotBeCountedIsServed) {
  FakeServer server;
  client_limit_ = std::make_shared<ClientLimit>(ClientPrefixes{}, 8);
  listener_.limits.connections_per_client = 1;
  std::vector<SharedCounts::Hold> others;
  for (std::uint64_t key = 0; key < 8; ++key) {
    others.push_back(client_limit_->counts().try_add({key, key}, 1).second);
  }
  start_with(server);
  const Peer one = make_idle_client(server);
  EXPECT_EQ(listener_cells().clients_not_counted.read(), 1u);
  EXPECT_EQ(listener_cells().connections_refused.read(), 0u);
}

TEST_F(WorkerListenerTest, ConnectionsOverTheLimitWaitForRoom) {
  FakeServer server;
  add_server(server.address);
  start(2);
  std::vector<Peer> clients;
  clients.reserve(5);
  for (int i = 0; i < 5; ++i) clients.push_back(connect_and_send(kGet));
  Peer& first = accept(server);
  Peer& second = accept(server);
  worker_.turn_a_little();
  EXPECT_EQ(proxy_->connections_open(), 2u);
  EXPECT_EQ(proxy_->cells().accept_pauses.read(), 1u);
  first.send(kOk);
  second.send(kOk);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    // Each waits until one before it has gone.
    ASSERT_TRUE(turn_until([&] {
      for (Peer& peer : server.peers) {
        if (peer.has("\r\n\r\n")) {
          peer.in.clear();
          peer.try_send(kOk);
        }
      }
      server.accept_all();
      return clients[i].has("ok");
    }));
    clients[i].close();
    EXPECT_LE(proxy_->connections_open(), 2u);
  }
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(listener_cells().connections.read(), 5u);
}

TEST_F(WorkerListenerTest, TheLimitsOfListenerAndProcessLetConnectionsWait) {
  for (const bool is_of_process : {false, true}) {
    SCOPED_TRACE(is_of_process);
    FakeServer server;
    backend_.servers.clear();
    listener_.maxconn = is_of_process ? std::nullopt : std::optional<std::uint32_t>(2);
    maxconn_ = is_of_process ? 2 : 0;
    start_with(server);
    std::vector<Peer> clients;
    clients.reserve(3);
    for (int i = 0; i < 3; ++i) clients.push_back(connect_and_send(kGet));
    accept(server);
    accept(server);
    worker_.turn_a_little();
    EXPECT_EQ(proxy_->connections_open(), 2u);
    clients[0].reset();
    ASSERT_TRUE(turn_until([&] { return server.accept_all() == 3; }));
    EXPECT_EQ(proxy_->connections_open(), 2u);
    for (std::size_t i = 1; i < clients.size(); ++i) clients[i].reset();
    ASSERT_TRUE(has_no_connections());
    proxy_.reset();
  }
}

// A limit that a reload raises lets those in that wait.
TEST_F(WorkerListenerTest, ARaisedLimitIsNoticed) {
  FakeServer server;
  listener_.maxconn = 1;
  start_with(server);
  const Peer first = connect_and_send(kGet);
  const Peer second = connect_and_send(kGet);
  accept(server);
  worker_.turn_a_little();
  EXPECT_EQ(proxy_->connections_open(), 1u);
  listener_.maxconn = 2;
  reload();
  accept(server);
  EXPECT_EQ(proxy_->connections_open(), 2u);
}

TEST_F(WorkerListenerTest, WithoutDescriptorsItRestsAndComesBack) {
  FakeServer server;
  start_with(server);
  Fd client_socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The thread of the jobs shall have begun: where types are checked, it needs a pipe for that.
  struct First final : Job {
    void run() noexcept override {}
    void done() noexcept override { is_done = true; }
    bool is_done = false;
  } first;
  ASSERT_EQ(file_jobs_.submit(*worker_, first), Error());
  ASSERT_TRUE(turn_until([&] { return first.is_done; }));
  auto nothing = std::make_unique<NoDescriptorLeft>();
  const TimePoint began = worker_->now();
  const bool connected =
      ::connect(client_socket.get(), address_.view().address, address_.view().length) == 0;
  const bool rested = turn_until([&] { return proxy_->cells().descriptors_exhausted.read() > 0; });
  const TimePoint until = worker_->now() + 50ms;
  const bool waited = turn_until([&] { return worker_->now() > until; });
  const std::uint64_t tries = proxy_->cells().descriptors_exhausted.read();
  const Duration tried_for = worker_->now() - began;
  nothing.reset();
  ASSERT_TRUE(connected && rested && waited);
  // It rests for 100 ms after each try, however slow this machine is.
  EXPECT_LE(tries, 1 + static_cast<std::uint64_t>(tried_for / 100ms));

  Peer client(std::move(client_socket));
  client.send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
}

TEST_F(WorkerListenerTest, ADrainEndsIdleConnectionsAndRefusesNewOnes) {
  FakeServer server;
  start_with(server);
  Peer idle = make_idle_client(server);
  proxy_->drain();
  EXPECT_TRUE(turn_until([&] { return idle.read().ended; }));
  EXPECT_EQ(idle.os_error, 0);
  EXPECT_TRUE(turn_until([&] { return proxy_->is_drained(); }));
  EXPECT_TRUE(ends(server.peers[0]));
  const Fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(late.get(), address_.view().address, address_.view().length), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_F(WorkerListenerTest, ADrainLetsExchangesEndAndSaysClose) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  proxy_->drain();
  worker_.turn_a_little();
  EXPECT_FALSE(proxy_->is_drained());
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_NE(client.in.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(turn_until([&] { return client.read().ended; }));
  EXPECT_TRUE(turn_until([&] { return proxy_->is_drained(); }));
}

// Its request may be on its way.
TEST_F(WorkerListenerTest, ADrainWaitsForTheFirstRequestOfAConnection) {
  FakeServer server;
  start_with(server);
  Peer client = connect();
  ASSERT_TRUE(turn_until([&] { return proxy_->connections_open() == 1; }));
  proxy_->drain();
  worker_.turn_a_little();
  client.send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_NE(client.in.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(turn_until([&] { return proxy_->is_drained(); }));
}

TEST_F(WorkerListenerTest, ADrainLetsABodyEnd) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfirst");
  ASSERT_TRUE(receives(client, "first"));
  proxy_->drain();
  worker_.turn_a_little();
  peer.send("end");
  ASSERT_TRUE(receives(client, "firstend"));
  EXPECT_TRUE(turn_until([&] { return client.read().ended; }));
  EXPECT_EQ(client.os_error, 0);
}

// A close would reset them.
TEST_F(WorkerListenerTest, ADrainServesWhatIsQueuedInTheKernel) {
  FakeServer server;
  start_with(server);
  std::vector<Peer> clients;
  clients.reserve(100);
  for (int i = 0; i < 100; ++i) clients.push_back(connect_and_send(kGet));
  proxy_->drain();
  std::size_t answered = 0;
  ASSERT_TRUE(turn_until([&] {
    server.accept_all();
    for (Peer& peer : server.peers) {
      if (peer.has("\r\n\r\n")) {
        peer.in.clear();
        peer.try_send(kOk);
      }
    }
    answered = 0;
    for (Peer& client : clients) answered += client.has("ok") ? 1 : 0;
    return answered == clients.size();
  }));
  for (Peer& client : clients) {
    EXPECT_NE(client.in.find("Connection: close\r\n"), std::string::npos);
  }
  EXPECT_TRUE(turn_until([&] { return proxy_->is_drained(); }));
}

// On a reactor that sends small messages at the end of a turn.
TEST_F(WorkerListenerTest, ADrainLetsBytesOfClosedSocketsLeaveAndAnAbortDoesNot) {
  for (const bool is_aborted : {false, true}) {
    SCOPED_TRACE(is_aborted);
    FakeServer server;
    backend_.servers.clear();
    start_with(server);
    int pair[2] = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    Peer peer{Fd(pair[1])};
    Reactor& reactor = worker_->reactor();
    Socket& socket = reactor.adopt(Fd(pair[0]));
    const std::string message(1000, 'm');
    const iovec part{const_cast<char*>(message.data()), message.size()};
    std::size_t taken = 0;
    for (;;) {
      const IoCount count = reactor.try_send(socket, {&part, 1});
      if (count.is_would_block()) break;
      taken += count.bytes();
    }
    reactor.close(socket);
    is_aborted ? proxy_->abort_all() : proxy_->drain();
    if (!is_aborted) {
      const TimePoint until = worker_->now() + 50ms;
      ASSERT_TRUE(turn_until([&] { return proxy_->is_drained() || worker_->now() > until; }));
      EXPECT_FALSE(proxy_->is_drained() && reactor.is_sending_after_close());
      ASSERT_TRUE(ends(peer));
      EXPECT_EQ(peer.in.size(), taken);
    }
    EXPECT_TRUE(turn_until([&] { return proxy_->is_drained(); }));
    proxy_.reset();
  }
}

TEST_F(WorkerListenerTest, AnAbortEndsConnectionsWhereverTheyAre) {
  const net::test::SilentPort silent_port;
  FakeServer server;
  add_server(server.address, "serves");
  add_server(silent_port.address, "hangs");
  backend_.timeouts.connect = 1h;
  start();

  Peer silent = connect();
  Peer in_head = connect_and_send("GET / HT");
  Peer waiting = connect_and_send(kGet);     // for the head of the first server
  Peer connecting = connect_and_send(kGet);  // to the second
  Peer& waits = accept(server);
  ASSERT_TRUE(receives(waits, "\r\n\r\n"));
  ASSERT_TRUE(turn_until([&] { return leases() == 2; }));
  Peer in_body = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhi");
  Peer& sends = accept(server);
  ASSERT_TRUE(receives(sends, "hi"));
  sends.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
  ASSERT_TRUE(receives(in_body, "half"));
  Peer lingering = connect_and_send("BAD\r\n\r\n");
  ASSERT_TRUE(receives(lingering, "400 Bad"));
  ASSERT_EQ(proxy_->connections_open(), 6u);

  proxy_->abort_all();
  ASSERT_TRUE(turn_until([&] { return proxy_->is_drained(); }));
  EXPECT_EQ(leases(), 0u);
  for (Peer* peer : {&silent, &in_head, &waiting, &connecting, &in_body, &waits, &sends}) {
    EXPECT_TRUE(ends(*peer));
  }
  EXPECT_EQ(listener_cells().connections_closed.read(), 6u);
}

}  // namespace
}  // namespace weir::proxy
