#include "sim/world.h"

#include <algorithm>

#include "app/compile.h"
#include "balance/pickers.h"
#include "config/node.h"
#include "proxy/http/exchange.h"
#include "proxy/tcp/serve_tcp_connection.h"
#include "sim/mux_stream.h"

namespace weir::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kMuxPort = 81;
constexpr std::uint16_t kTcpPort = 5000;
constexpr Duration kBusyMax = 5min;
constexpr Duration kDrainMax = 10s;
constexpr Duration kCutMax = 5s;

proxy::Serve serve_of(const proxy::Listener& listener) {
  if (listener.name == "mux") return &serve_mux_connection;
  if (listener.protocol == proxy::Protocol::tcp) return &proxy::serve_tcp_connection;
  return &proxy::serve_http_connection;
}

}  // namespace

World::SimWorker::SimWorker(World& world, std::uint32_t index) {
  Random& random = world.network_.random();
  auto buffers = std::make_unique<BufferPool>(world.buffer_bytes_max_);
  const ReactorHabits calm{0, 0, 0, 0, 0};
  auto made = std::make_unique<SimReactor>(world.network_, world.weir_, *buffers, random.next(),
                                           random.below(8) == 0 ? calm : ReactorHabits(),
                                           world.descriptors_max_);
  reactor = made.get();
  worker = std::make_unique<Worker>(index, std::move(buffers), std::move(made), random.next());
  buffers_at_rest = worker->buffers().bytes_in_use();
  proxy = std::make_unique<proxy::ProxyWorker>(*worker, *world.shared_, access_log, &serve_of, 100);
}

void World::SimWorker::listen(const std::shared_ptr<const proxy::Snapshot>& snapshot,
                              Random& random) {
  std::vector<proxy::WorkerSocket> sockets;
  for (const proxy::ServedListener& served : snapshot->listeners) {
    const std::uint16_t port = served.listener->address.port();
    sockets.push_back({.sockets = served.sockets,
                       .port = port,
                       .socket = &reactor->listen(port, 4 + random.below(60))});
  }
  proxy->install(snapshot, sockets);
}

World::World(std::uint64_t seed, Trace& trace)
    : network_(seed, trace),
      weir_(network_.add_host("weir")),
      web_(network_, weir_),
      db_(network_, weir_),
      attempts_max_(chance(500) ? 3 : 1 + network_.random().below(5)),
      ledger_(network_, web_, attempts_max_),
      tunnels_(ledger_, db_, attempts_max_),
      worker_count_(1 + network_.random().below(4)),
      web_count_(1 + network_.random().below(4)),
      db_count_(1 + network_.random().below(3)),
      idle_max_(network_.random().below(20)),
      has_loss_(chance(300)) {
  draw_limits();
  write_configuration();
  compile_configuration();
  make_servers();
  make_workers();
  plan_clients();
}

Duration World::up_to(Duration most) noexcept {
  return Duration(network_.random().below(1000) * (most.count() / 1000));
}

// One world in four lacks something.
void World::draw_limits() {
  Random& random = network_.random();
  switch (random.below(12)) {
    case 0:
      buffer_bytes_max_ = BufferPool::kLargest + (std::size_t{32} << (10 + random.below(5)));
      ledger_.begin_scarcity();
      break;
    case 1:
      descriptors_max_ = 6 + random.below(40);
      ledger_.begin_scarcity();
      break;
    case 2:
      connections_max_ = 1 + random.below(10);
      ledger_.begin_scarcity();  // of room in the queues: clients give up connecting in the end
      break;
    default:
      break;
  }
}

void World::write_configuration() {
  configuration_ = fmt::format("workers: {}\nlisteners:\n", worker_count_);
  configuration_ += fmt::format(
      "  - name: web\n    address: 0.0.0.0:{}\n    backend: web\n"
      "    timeouts: {{ client_head: 5s, client_body: 5s, keep_alive: 10s }}\n"
      "  - name: mux\n    address: 0.0.0.0:{}\n    backend: web\n"
      "    timeouts: {{ client_body: 60s }}\n"
      "  - name: db\n    address: 0.0.0.0:{}\n    protocol: tcp\n    backend: db\n"
      "    timeouts: {{ tunnel_idle: 20s }}\n",
      kHttpPort, kMuxPort, kTcpPort);
  configuration_ += "backends:\n" + web_backend() + db_backend();
}

// Hosts get their addresses in the order in which they are made, after Weir's.
std::string World::web_backend() {
  Random& random = network_.random();
  const auto& picker = balance::kPickers[random.below(balance::kPickers.size())];
  std::string text = fmt::format(
      "  - name: web\n    balance: {}\n"
      "    timeouts: {{ connect: 2s, response_head: 5s, server_body: 5s }}\n"
      "    retry: {{ attempts: {}, backoff: {}ms }}\n"
      "    pool: {{ idle_max: {}, idle_timeout: {}ms }}\n    servers:\n",
      picker.name, attempts_max_, random.below(50), idle_max_, 1 + random.below(20'000));
  for (std::size_t i = 0; i < web_count_; ++i) {
    text += fmt::format("      - {{ name: w{}, address: 10.0.0.{}:{}, weight: {}, backup: {} }}\n",
                        i, i + 2, HttpServer::kPort, 1 + random.below(5), chance(150));
  }
  return text;
}

std::string World::db_backend() {
  std::string text =
      fmt::format("  - name: db\n    retry: {{ attempts: {} }}\n    servers:\n", attempts_max_);
  for (std::size_t i = 0; i < db_count_; ++i) {
    text += fmt::format("      - {{ name: d{}, address: 10.0.0.{}:{} }}\n", i, web_count_ + i + 2,
                        TcpServer::kPort);
  }
  return text;
}

void World::compile_configuration() {
  config::Problems problems;
  const config::Document document = config::parse_document("simulation", configuration_, problems);
  const app::Settings settings = app::load_settings(document, problems);
  if (problems.has_errors()) fail(config::print(problems, document));
  registry_ = std::make_unique<stats::Registry>(worker_count_);
  proxy::Snapshot snapshot = app::compile(settings, *registry_);
  const auto log = std::make_shared<const proxy::AccessLogFile>(0u);
  for (auto& served : snapshot.listeners) {
    auto listener = std::make_shared<proxy::Listener>(*served.listener);
    listener->access_log = log;
    served.listener = std::move(listener);
  }
  shared_ = std::make_unique<proxy::ProxyShared>(*registry_);
  snapshot_ = std::make_shared<const proxy::Snapshot>(std::move(snapshot));
}

HostId World::add_server_host(ServerGroup& group, std::string name) {
  const HostId host = network_.add_host(std::move(name));
  group.add(host);
  LinkSettings link{.latency = up_to(20ms), .jitter = 1us + up_to(5ms)};
  if (has_loss_) link.loss_permille = network_.random().below(20);
  network_.set_link(weir_, host, link);
  return host;
}

void World::make_servers() {
  Random& random = network_.random();
  for (std::size_t i = 0; i < web_count_; ++i) {
    const HostId host = add_server_host(web_, fmt::format("w{}", i));
    web_servers_.push_back(std::make_unique<HttpServer>(ledger_, web_, i, host));
    web_servers_.back()->set_habits({.misbehave = chance(500) ? random.below(200) : 0,
                                     .slow = random.below(200),
                                     .idle_close = chance(500) ? random.below(300) : 0});
    servers_.push_back(web_servers_.back().get());
  }
  for (std::size_t i = 0; i < db_count_; ++i) {
    const HostId host = add_server_host(db_, fmt::format("d{}", i));
    db_servers_.push_back(std::make_unique<TcpServer>(tunnels_, db_, i, host));
    db_servers_.back()->set_breaks(chance(300) ? random.below(300) : 0);
    servers_.push_back(db_servers_.back().get());
  }
  for (SimServer* server : servers_) server->start();
  faults_ = std::make_unique<Faults>(network_, weir_, servers_);
}

void World::make_workers() {
  for (std::uint32_t i = 0; i < worker_count_; ++i) {
    workers_.push_back(std::make_unique<SimWorker>(*this, i));
  }
  for (const auto& worker : workers_) worker->listen(snapshot_, network_.random());
}

HostId World::add_client_host(std::string name) {
  const HostId host = network_.add_host(std::move(name));
  network_.set_link(weir_, host, {.latency = up_to(30ms), .jitter = 1us + up_to(5ms)});
  faults_->add_client_host(host);
  ++clients_planned_;
  return host;
}

void World::plan_clients() {
  Random& random = network_.random();
  const Duration span = 1s + up_to(10s);
  plan_http_clients(span);
  plan_mux_clients(span);
  plan_tcp_clients(span);
  if (chance(800)) faults_->plan(static_cast<int>(random.below(20)), network_.now() + span);
}

void World::plan_http_clients(Duration span) {
  const std::size_t count = 10 + network_.random().below(60);
  for (std::size_t i = 0; i < count; ++i) {
    const HostId host = add_client_host(fmt::format("c{}", i));
    network_.after(up_to(span), [this, host] {
      http_clients_.push_back(
          std::make_unique<HttpClient>(network_, ledger_, host, weir_, kHttpPort));
      http_clients_.back()->start();
    });
  }
}

void World::plan_mux_clients(Duration span) {
  const std::size_t count = network_.random().below(4);
  for (std::size_t i = 0; i < count; ++i) {
    const HostId host = add_client_host(fmt::format("m{}", i));
    network_.after(up_to(span), [this, host] {
      mux_clients_.push_back(std::make_unique<MuxClient>(ledger_, host, weir_, kMuxPort));
      mux_clients_.back()->start();
    });
  }
}

void World::plan_tcp_clients(Duration span) {
  const std::size_t count = network_.random().below(20);
  for (std::size_t i = 0; i < count; ++i) {
    const HostId host = add_client_host(fmt::format("t{}", i));
    network_.after(up_to(span), [this, host] {
      tcp_clients_.push_back(std::make_unique<TcpClient>(tunnels_, host, weir_, kTcpPort));
      tcp_clients_.back()->start();
    });
  }
}

// The next thing to happen: an event of the network or a worker's turn, by lot where both are due.
void World::step() {
  ++steps_;
  TimePoint time = network_.next_event();
  for (const auto& worker : workers_) {
    if (worker->proxy == nullptr) continue;
    time = std::min(time, std::max(worker->reactor->due(), worker->free_at));
  }
  if (time == kNever) return fail("nothing will ever happen any more");
  if (time > network_.now()) network_.advance(time);
  std::vector<SimWorker*> due;
  for (const auto& worker : workers_) {
    if (worker->proxy == nullptr) continue;
    const bool is_due = std::max(worker->reactor->due(), worker->free_at) <= network_.now();
    if (is_due) due.push_back(worker.get());
  }
  const bool has_event = network_.next_event() <= network_.now();
  const auto choices = static_cast<std::uint32_t>(due.size() + (has_event ? 1 : 0));
  const std::uint32_t chosen = network_.random().below(choices);
  if (chosen < due.size()) {
    turn(*due[chosen]);
  } else {
    network_.run_event();
  }
  check();
}

void World::turn(SimWorker& worker) {
  worker.worker->turn();
  worker.free_at = network_.now() + Duration(1000 + network_.random().below(20'000));
  if (chance(2)) worker.free_at += up_to(20ms);  // another process had the core
  read_access_log(worker);
  if (worker.proxy->is_drained()) retire(worker);
}

void World::read_access_log(SimWorker& worker) {
  for (;;) {
    const std::span<const char> bytes = worker.access_log.front();
    if (bytes.empty()) return;
    const stats::AccessRecord record = stats::decode(bytes.subspan(sizeof(std::uint32_t)));
    network_.trace().line(network_.now(), "weir logs {} {} {} {} after {} attempts, last {}",
                          record.method, record.target, record.status,
                          row_of(record.reason.kind).word, record.attempts, record.server);
    worker.access_log.pop();
  }
}

void World::check() {
  // A connection carries one exchange or tunnel at a time, but for the multiplexed ones, whose
  // streams have a socket of their own that is never connected.
  std::size_t carried = 0;
  for (const auto& worker : workers_) {
    if (worker->proxy == nullptr) continue;
    carried += worker->proxy->connections_open() + worker->reactor->unconnected_sockets();
  }
  const std::size_t leases = count_leases();
  if (leases > carried) {
    fail(fmt::format("{} leases for {} exchanges and tunnels", leases, carried));
  }
  if (steps_ % 64 == 0) check_pools();
}

std::size_t World::count_leases() const noexcept {
  std::size_t leases = 0;
  for (const auto& backend : snapshot_->backends) {
    for (std::size_t i = 0; i < backend->size(); ++i) {
      leases += backend->server(balance::to_server(i)).leases();
    }
  }
  return leases;
}

// Connections are in use or at rest, and only so many rest.
void World::check_pools() {
  const std::size_t idle_max = (idle_max_ + worker_count_ - 1) / worker_count_ * worker_count_;
  const backend::Backend& web = *snapshot_->backends[0];
  for (std::size_t i = 0; i < web_servers_.size(); ++i) {
    const std::size_t open = network_.open_ends(weir_, web_servers_[i]->host());
    const std::size_t leases = web.server(balance::to_server(i)).leases();
    if (open <= leases + idle_max) continue;
    fail(fmt::format("{} connections to w{} with {} leases and room for {} at rest", open, i,
                     leases, idle_max));
  }
}

bool World::is_busy() const {
  const std::size_t clients = http_clients_.size() + mux_clients_.size() + tcp_clients_.size();
  if (clients < clients_planned_) return true;
  const auto is_over = [](const auto& client) { return client->is_over(); };
  return !std::ranges::all_of(http_clients_, is_over) ||
         !std::ranges::all_of(mux_clients_, is_over) || !std::ranges::all_of(tcp_clients_, is_over);
}

bool World::is_draining() const {
  return std::ranges::any_of(workers_, [](const auto& worker) { return worker->proxy != nullptr; });
}

// To its end, until that time, or until something is wrong.
void World::run_while(bool (World::*goes_on)() const, TimePoint until) {
  while ((this->*goes_on)() && may_go_on() && network_.now() <= until) step();
}

std::string World::run(std::uint64_t steps_max) {
  steps_max_ = steps_max;
  const bool stops_early = chance(300);
  run_while(&World::is_busy, network_.now() + (stops_early ? up_to(10s) : kBusyMax));
  if (is_busy() && !stops_early) fail("clients still wait for something");
  if (!may_go_on()) return ledger_.violation();
  stop();
  run_while(&World::is_busy, network_.now() + kBusyMax);
  if (is_busy()) fail("clients still wait for something that is gone");
  if (!may_go_on()) return ledger_.violation();
  if (const std::size_t leases = count_leases(); leases != 0) {
    fail(fmt::format("{} leases of servers are left", leases));
  }
  if (ledger_.open_requests() != 0) fail("requests are left without an end");
  return ledger_.violation();
}

// As the process does on SIGTERM: a drain, and after a while the end of what is left.
void World::stop() {
  network_.trace().line(network_.now(), "weir drains");
  ledger_.begin_stopping();
  for (const auto& worker : workers_) {
    worker->proxy->drain();
    worker->reactor->wake();
  }
  run_while(&World::is_draining, network_.now() + kDrainMax);
  if (!may_go_on() || !is_draining()) return;
  network_.trace().line(network_.now(), "weir ends what is left");
  ledger_.begin_cutting();
  for (const auto& worker : workers_) {
    if (worker->proxy == nullptr) continue;
    worker->proxy->abort_all();
    worker->reactor->wake();
  }
  run_while(&World::is_draining, network_.now() + kCutMax);
  if (is_draining()) fail("what is cut does not end");
}

// What a worker's thread does when its last connection has ended; nothing may be left.
void World::retire(SimWorker& worker) {
  worker.proxy.reset();
  const std::size_t bytes = worker.worker->buffers().bytes_in_use();
  if (bytes != worker.buffers_at_rest) {
    fail(fmt::format("{} bytes of buffers are left, {} at the start", bytes,
                     worker.buffers_at_rest));
  }
  // The reactor forgets what was closed at the end of a turn.
  if (const std::size_t sockets = worker.reactor->open_sockets(); sockets != 0) {
    fail(fmt::format("{} sockets are left open", sockets));
  }
}

}  // namespace weir::sim
