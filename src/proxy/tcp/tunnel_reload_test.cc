// What a reload does to tunnels: nothing, but for those to servers that leave.

#include <gtest/gtest.h>

#include "proxy/proxy_test_support.h"
#include "proxy/tcp/serve_tcp_connection.h"

namespace weir::proxy {
namespace {

using test::FakeServer;
using test::Peer;
using namespace std::chrono_literals;

class TunnelReloadTest : public test::ProxyFixture {
 protected:
  TunnelReloadTest()
      : ProxyFixture(Protocol::tcp,
                     [](const Listener&) -> Serve { return &serve_tcp_connection; }) {}

  std::shared_ptr<Snapshot> without_listener() {
    auto next = std::make_shared<Snapshot>(*make_snapshot());
    next->listeners.clear();
    return next;
  }
  void expect_carries(Peer& client, Peer& server) {
    client.send("question");
    EXPECT_TRUE(receives(server, "question"));
    server.in.clear();
    server.send("answer");
    EXPECT_TRUE(receives(client, "answer"));
    client.in.clear();
  }
};

TEST_F(TunnelReloadTest, ATunnelGoesOnAndKeepsNoConfiguration) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("hi");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "hi"));
  peer.in.clear();
  std::weak_ptr<const backend::Backend> backend = proxy_->snapshot().backends[0];
  std::weak_ptr<const Snapshot> snapshot;
  for (int i = 0; i < 100; ++i) {
    ++backend_.queue_length;
    auto next = make_snapshot();
    const std::weak_ptr<const Snapshot> next_snapshot = next;
    proxy_->install(std::move(next), {});
    EXPECT_TRUE(backend.expired());
    EXPECT_TRUE(snapshot.expired());
    backend = proxy_->snapshot().backends[0];
    snapshot = next_snapshot;
  }
  expect_carries(client, peer);
  EXPECT_EQ(leases(), 1u);
}

TEST_F(TunnelReloadTest, ATunnelGoesOnWithoutItsListenerAndKeepsNothingOfIt) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("hi");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "hi"));
  peer.in.clear();
  proxy_->install(without_listener(), {});
  worker_.turn_a_little();
  const std::weak_ptr<const backend::Backend> backend = proxy_->snapshot().backends[0];
  ++backend_.queue_length;
  proxy_->install(without_listener(), {});
  EXPECT_TRUE(backend.expired());
  expect_carries(client, peer);
  EXPECT_EQ(proxy_->connections_open(), 1u);
}

TEST_F(TunnelReloadTest, ATunnelIsCutWhenItsServerHasBeenGoneForTooLong) {
  FakeServer gone;
  FakeServer stays;
  backend_.drain_deadline = 200ms;
  start_with(gone);
  Peer client = connect_and_send("hi");
  Peer& peer = accept(gone);
  ASSERT_TRUE(receives(peer, "hi"));
  peer.in.clear();
  backend_.servers.clear();
  add_server(stays.address, "stays");
  const TimePoint began = worker_->now();
  reload();
  expect_carries(client, peer);
  EXPECT_TRUE(is_reset(client));
  EXPECT_GE(worker_->now() - began, 200ms);
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::server_drained);
  Peer next = connect_and_send("hi");
  EXPECT_TRUE(receives(accept(stays), "hi"));
}

}  // namespace
}  // namespace weir::proxy
