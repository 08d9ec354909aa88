#pragma once
// What the tests of backends that change share: a worker, its view of a backend, and reloads.

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "backend/http1_server_connection.h"
#include "backend/worker_backend.h"
#include "net/net_test_support.h"

namespace weir::backend::test {

using net::test::FakeServer;
using net::test::Peer;
using net::test::TestWorker;
using namespace std::chrono_literals;

class ChangeFixture : public testing::Test {
 protected:
  ChangeFixture() { settings_.name.value = "b"; }

  ServerSettings& add_server(const std::string& name, const net::Address& address = {}) {
    ServerSettings& server = settings_.servers.emplace_back();
    server.name.value = name;
    server.address.address = address;
    return server;
  }
  // Puts settings_, as they are now, into force, as a start or a reload does.
  void apply() {
    auto next = std::make_shared<Backend>(settings_, registry_, backend_.get());
    next->adopt_servers({});
    view_ = make_local<WorkerBackend>(*worker_, next, 1, connections(), view_.get());
    backend_ = std::move(next);
  }
  virtual ServerConnections& connections() noexcept { return connections_; }
  // What the API does after a change of weights or states.
  void renew_candidates() { view_->adopt(backend_->renew_candidates({})); }

  Server& server(std::size_t index) { return backend_->server(balance::to_server(index)); }
  ServerLease pick() { return view_->pick({}, {}).lease; }
  // The name of the server that is picked next; empty: none.
  std::string pick_name() {
    const ServerLease lease = pick();
    return lease ? lease.server().name() : std::string();
  }
  ServerStream connect(const ServerLease& lease) {
    ServerStream stream;
    worker_.run([&]() -> Task<> {
      auto connected = co_await view_->connect(lease, {}, cancel_);
      if (connected) stream = std::move(*connected);
    });
    EXPECT_TRUE(stream);
    return stream;
  }
  // The connection that the server was given last.
  Peer& accept(FakeServer& fake) {
    EXPECT_TRUE(
        worker_.turn_until([&, before = fake.peers.size()] { return fake.accept_all() > before; }));
    return fake.peers.back();
  }
  // A whole exchange, after which the connection goes back to its pool.
  void exchange(ServerStream stream, Peer& peer) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    worker_.run([&]() -> Task<> {
      Arena arena(worker_->buffers());
      http::RequestHead request;
      request.method_text = "GET";
      request.path = "/";
      http::ResponseHead response;
      EXPECT_TRUE(co_await stream.http().write_head(request, net::BodyFollows::no, kNever));
      EXPECT_TRUE(co_await stream.http().read_head(response, arena, kNever));
    });
    stream.mark_ended_well();
  }
  // One attempt on the server that is picked next.
  void use(FakeServer& fake) {
    const ServerLease lease = pick();
    ServerStream stream = connect(lease);
    Peer& peer = stream.is_reused() ? fake.peers.back() : accept(fake);
    exchange(std::move(stream), peer);
  }
  bool is_closed(Peer& peer) {
    return worker_.turn_until([&] { return peer.is_over(); });
  }

  stats::Registry registry_{1};
  TestWorker worker_;
  net::CancelSlot cancel_;
  BackendSettings settings_;
  std::shared_ptr<Backend> backend_;
  Http1ServerConnections connections_;
  LocalRef<WorkerBackend> view_;
};

}  // namespace weir::backend::test
