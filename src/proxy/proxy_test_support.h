#pragma once
// What the tests of whole connections share: one worker with one listener on a real port, servers
// that the test plays itself, and what was logged.

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "backend/http1_server_connection.h"
#include "net/net_test_support.h"
#include "proxy/worker_listener.h"

namespace weir::proxy::test {

using net::test::ClosedPort;
using net::test::FakeServer;
using net::test::Peer;
using net::test::TestWorker;
using namespace std::chrono_literals;

// A line of the access log, as far as tests ask for it.
struct Logged {
  std::uint16_t status;
  std::uint16_t attempts;
  Error reason;
  std::string target;
  std::string server;
  std::uint64_t bytes_received;
  std::uint64_t bytes_sent;
  std::string sentence;
};

class ProxyFixture : public testing::Test {
 protected:
  ProxyFixture(Protocol protocol, ServeOf serve_of) : serve_of_(serve_of) {
    listener_.protocol = protocol;
    listener_.name.value = "l";
    listener_.forwarded.write = {};  // heads are compared
    backend_.name.value = "b";
  }
  // Nothing may be left of any test: no connection, lease or buffer.
  ~ProxyFixture() override {
    if (proxy_ == nullptr) return;
    proxy_->abort_all();
    EXPECT_TRUE(worker_.turn_until([&] { return proxy_->is_drained(); }));
    EXPECT_EQ(leases(), 0u);
    proxy_.reset();
    EXPECT_EQ(worker_.buffer_bytes(), 0u);
  }

  void add_server(const net::Address& address, const std::string& name = "s") {
    backend::ServerSettings server;
    server.name.value = name;
    server.address.address = address;
    backend_.servers.push_back(server);
  }
  void start(std::uint32_t connections_max = 1000) {
    proxy_ = std::make_unique<ProxyWorker>(
        *worker_, shared_, log_, Protocols{serve_of_, server_connections_}, connections_max);
    Fd listening = net::test::listening_socket();
    address_ = net::test::local_address(listening.get());
    const WorkerSocket socket{.sockets = kSockets,
                              .port = address_.port(),
                              .socket = &worker_->reactor().adopt(std::move(listening))};
    proxy_->install(make_snapshot(), {&socket, 1});
  }
  // Of listener_ and backend_ as they are now.
  std::shared_ptr<const Snapshot> make_snapshot() {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->maxconn = maxconn_;
    const auto& before = proxy_->snapshot().backends;
    snapshot->backends.push_back(std::make_shared<backend::Backend>(
        backend_, registry_, before.empty() ? nullptr : before[0].get()));
    snapshot->backends[0]->adopt_servers({});
    snapshot->predecessors = {before.empty() ? BackendIndex::none : BackendIndex{0}};
    auto listener = std::make_shared<Listener>(listener_, registry_);
    listener->access_log = log_file_;
    listener->filters = filters_;
    listener->client_limit = client_limit_;
    const std::size_t routes = std::max<std::size_t>(listener_.routes.size(), 1);
    snapshot->listeners.push_back({.listener = std::move(listener),
                                   .sockets = {kSockets},
                                   .router = make_router(listener_),
                                   .route_backends = std::vector(routes, BackendIndex{0}),
                                   .route_filters = std::vector(routes, filters_),
                                   .route_timeouts = route_timeouts(),
                                   .splits = {}});
    return snapshot;
  }
  std::vector<RouteTimeouts> route_timeouts() const {
    std::vector<RouteTimeouts> timeouts;
    for (const RouteSettings& route : listener_.routes) timeouts.push_back(route.timeouts);
    if (timeouts.empty()) timeouts.emplace_back();
    return timeouts;
  }
  void reload() { proxy_->install(make_snapshot(), {}); }
  void start_with(FakeServer& server) {
    add_server(server.address);
    start();
  }

  Peer connect() { return net::test::connect_peer(address_); }
  Peer connect_and_send(std::string_view text) {
    Peer client = connect();
    client.send(text);
    return client;
  }
  // The next connection that the server gets.
  Peer& accept(FakeServer& server) {
    const std::size_t next = server.handed_out++;
    EXPECT_TRUE(turn_until([&] { return server.accept_all() > next; }));
    if (server.peers.size() == next) server.peers.emplace_back();
    return server.peers[next];
  }

  template <class Condition>
  [[nodiscard]] bool turn_until(Condition&& holds) {
    return worker_.turn_until(std::forward<Condition>(holds));
  }
  [[nodiscard]] bool receives(Peer& peer, std::string_view text) {
    const bool has = turn_until([&] { return peer.has(text) || peer.is_over(); }) && peer.has(text);
    EXPECT_TRUE(has) << "received: " << peer.in << " errno " << peer.os_error;
    return has;
  }
  [[nodiscard]] bool ends(Peer& peer) {
    return turn_until([&] { return peer.is_over(); });
  }
  [[nodiscard]] bool is_reset(Peer& peer) { return ends(peer) && peer.os_error == ECONNRESET; }
  [[nodiscard]] bool has_no_connections() {
    return turn_until([&] { return proxy_->connections_open() == 0; });
  }

  std::uint32_t leases() {
    std::uint32_t sum = 0;
    const auto& backend = *proxy_->snapshot().backends[0];
    for (std::size_t i = 0; i < backend.size(); ++i) {
      sum += backend.server(balance::to_server(i)).leases();
    }
    return sum;
  }
  // What was logged since the last call; waits for the first.
  std::vector<Logged> logged() {
    std::vector<Logged> lines;
    EXPECT_TRUE(turn_until([&] { return !log_.front().empty(); }));
    for (auto bytes = log_.front(); !bytes.empty(); bytes = log_.front()) {
      const stats::AccessRecord record = stats::decode(bytes.subspan(sizeof(std::uint32_t)));
      lines.push_back({record.status, record.attempts, record.reason, std::string(record.target),
                       std::string(record.server), record.bytes_received, record.bytes_sent,
                       std::string(record.sentence)});
      log_.pop();
    }
    return lines;
  }
  Logged last_logged() {
    const auto lines = logged();
    return lines.empty() ? Logged{} : lines.back();
  }
  // Of a listener whose access log has a format of its own.
  void set_log_format(std::string_view text) {
    ASSERT_TRUE(parse_scalar(text, listener_.access_log.format));
  }
  // The next line of it.
  std::string logged_line() {
    EXPECT_TRUE(turn_until([&] { return !log_.front().empty(); }));
    const std::span<const char> record = log_.front();
    if (record.size() < sizeof(std::uint32_t)) return "nothing";
    std::string line(record.begin() + sizeof(std::uint32_t), record.end());
    log_.pop();
    return line;
  }
  const stats::ListenerCells& listener_cells() {
    return proxy_->snapshot().listeners[0].listener->stats->of(0);
  }

  static constexpr SocketsId kSockets{7};
  ServeOf serve_of_;
  TestWorker worker_;
  stats::Registry registry_{1};
  LogRing log_{1 << 20};
  std::shared_ptr<const FilterChain> filters_;
  std::shared_ptr<ClientLimit> client_limit_;
  std::shared_ptr<const AccessLogFile> log_file_ = std::make_shared<const AccessLogFile>(0u);
  Jobs file_jobs_{"files"};
  ProxyShared shared_{registry_, file_jobs_};
  ListenerSettings listener_;
  backend::BackendSettings backend_;
  std::uint32_t maxconn_ = 0;  // of the process
  backend::Http1ServerConnections server_connections_;
  std::unique_ptr<ProxyWorker> proxy_;
  net::Address address_;
};

}  // namespace weir::proxy::test
