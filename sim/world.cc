#include "sim/world.h"

#include <algorithm>

namespace weir::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration kBusyMax = 5min;
constexpr Duration kChangeMax = 1s;
constexpr Duration kRestMax = 2min;
constexpr Duration kDrainMax = 10s;
constexpr Duration kCutMax = 5s;

}  // namespace

World::World(std::uint64_t seed, Trace& trace)
    : network_(seed, trace),
      weir_(network_.add_host("weir")),
      web_(network_, weir_),
      db_(network_, weir_),
      ledger_(network_, web_),
      tunnels_(ledger_, db_),
      worker_count_(1 + network_.random().below(chance(300) ? 8 : 4)),
      members_{.web = 1 + network_.random().below(5),
               .db = 1 + network_.random().below(4),
               .streams_max = draw_streams()},
      draft_(network_.random(), worker_count_, members_),
      configuration_(draft_.print()),
      registry_(worker_count_),
      file_jobs_(network_.random()),
      shared_(registry_, file_jobs_),
      has_loss_(chance(300)),
      checks_(ledger_, weir_, shared_, workers_),
      changes_(ledger_, {web_, db_}, weir_, draft_) {
  draw_limits();
  make_servers();
  make_workers();
  plan_clients();
}

Duration World::up_to(Duration most) noexcept {
  return Duration(network_.random().below(1000) * (most.count() / 1000));
}

// Whether a server is a multiplexed one, and how many streams it wants on a connection.
std::array<std::uint16_t, 5> World::draw_streams() {
  std::array<std::uint16_t, 5> streams_max{};
  for (std::uint16_t& streams : streams_max) {
    if (!chance(400)) continue;
    streams = static_cast<std::uint16_t>(chance(600) ? 100 : 1 + network_.random().below(5));
  }
  return streams_max;
}

// One world in three lacks something.
void World::draw_limits() {
  Random& random = network_.random();
  switch (random.below(12)) {
    case 0:
      limits_.buffer_bytes_max = BufferPool::kLargest + (std::size_t{32} << (10 + random.below(5)));
      ledger_.begin_scarcity();
      break;
    case 1:
      limits_.descriptors_max = 6 + random.below(40);
      ledger_.begin_scarcity();
      break;
    case 2:
      limits_.connections_max = 1 + random.below(10);
      ledger_.begin_scarcity();  // of room in the queues: clients give up connecting in the end
      break;
    case 3:
      file_jobs_.set_refused(1 + random.below(200));
      ledger_.begin_scarcity();
      break;
    default:
      break;
  }
}

HostId World::add_server_host(ServerGroup& group, std::string name) {
  const HostId host = network_.add_host(std::move(name));
  group.add(host);
  LinkSettings link{.latency = up_to(20ms), .jitter = 1us + up_to(5ms)};
  if (has_loss_) link.loss_permille = network_.random().below(20);
  network_.set_link(weir_, host, link);
  return host;
}

void World::add_web_server(std::size_t index) {
  Random& random = network_.random();
  const HostId host = add_server_host(web_, fmt::format("w{}", index));
  const ServerHabits habits{.misbehave = chance(500) ? random.below(200) : 0,
                            .slow = random.below(200),
                            .idle_close = chance(500) ? random.below(300) : 0};
  if (const std::uint16_t streams_max = members_.streams_max[index]; streams_max != 0) {
    auto server = std::make_unique<MuxServer>(ledger_, web_, index, host, streams_max);
    server->set_habits(habits);
    web_servers_.push_back(std::move(server));
  } else {
    auto server = std::make_unique<HttpServer>(ledger_, web_, index, host);
    server->set_habits(habits);
    web_servers_.push_back(std::move(server));
  }
  servers_.push_back(web_servers_.back().get());
}

void World::make_servers() {
  for (std::size_t i = 0; i < members_.web; ++i) add_web_server(i);
  for (std::size_t i = 0; i < members_.db; ++i) {
    const HostId host = add_server_host(db_, fmt::format("d{}", i));
    db_servers_.push_back(std::make_unique<TcpServer>(tunnels_, db_, i, host));
    db_servers_.back()->set_breaks(chance(300) ? network_.random().below(300) : 0);
    servers_.push_back(db_servers_.back().get());
  }
  for (SimServer* server : servers_) server->start();
  faults_ = std::make_unique<Faults>(network_, weir_, servers_);
}

void World::make_workers() {
  for (std::uint32_t i = 0; i < worker_count_; ++i) {
    workers_.push_back(std::make_unique<SimWorker>(network_, weir_, shared_, i, limits_));
  }
  changes_.serve(workers_, shared_, checks_);
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
  if (chance(700)) changes_.plan(static_cast<int>(random.below(20)), span);
  if (chance(800)) faults_->plan(static_cast<int>(random.below(20)), network_.now() + span);
}

void World::plan_http_clients(Duration span) {
  const std::size_t count = 10 + network_.random().below(60);
  for (std::size_t i = 0; i < count; ++i) {
    const HostId host = add_client_host(fmt::format("c{}", i));
    const std::uint16_t port = chance(200) ? kExtraPort : kHttpPort;
    network_.after(up_to(span), [this, host, port] {
      http_clients_.push_back(std::make_unique<HttpClient>(network_, ledger_, host, weir_, port));
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
    time = std::min(time, worker->due());
  }
  if (time == kNever) return fail("nothing will ever happen any more");
  if (time > network_.now()) network_.advance(time);
  std::vector<SimWorker*> due;
  for (const auto& worker : workers_) {
    if (worker->proxy == nullptr) continue;
    const bool is_due = worker->due() <= network_.now();
    if (is_due) due.push_back(worker.get());
  }
  const bool has_event = network_.next_event() <= network_.now();
  const auto choices = static_cast<std::uint32_t>(due.size() + (has_event ? 1 : 0));
  const std::uint32_t chosen = network_.random().below(choices);
  const SimWorker* turned = chosen < due.size() ? due[chosen] : nullptr;
  if (turned != nullptr) {
    turn(*due[chosen]);
  } else {
    network_.run_event();
  }
  checks_.check(turned);
  changes_.settle();
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
    if (record.kind == stats::AccessKind::tcp) {
      tunnels_.note_reason(record.client_address, record.reason.kind);
    }
    worker.access_log.pop();
  }
}

std::size_t World::streams_most() const noexcept {
  std::size_t most = 0;
  for (const auto& worker : workers_) {
    most = std::max(most, worker->server_connections.streams_most());
  }
  return most;
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
  if (!stops_early) come_to_rest();
  if (!may_go_on()) return ledger_.violation();
  stop();
  run_while(&World::is_busy, network_.now() + kBusyMax);
  if (is_busy()) fail("clients still wait for something that is gone");
  if (!may_go_on()) return ledger_.violation();
  checks_.check_end(changes_.snapshot());
  if (ledger_.open_requests() != 0) fail("requests are left without an end");
  return ledger_.violation();
}

// Nobody uses Weir any more, and it is told once more what it knows.
void World::come_to_rest() {
  changes_.close();
  run_while(&World::is_changing, network_.now() + kChangeMax);
  do {
    run_while(&World::has_connections, network_.now() + kRestMax);
    if (!may_go_on()) return;
    if (has_connections()) return fail("connections are left that nobody uses");
    changes_.reload();
    run_while(&World::is_changing, network_.now() + kChangeMax);
    // Somebody who had gone long ago may have been accepted only now that there was room.
  } while (may_go_on() && has_connections());
  if (may_go_on()) checks_.check_at_rest(changes_.snapshot());
}

// As the process does on SIGTERM: once a change under way is in force, a drain, and after a while
// the end of what is left.
void World::stop() {
  changes_.close();
  run_while(&World::is_changing, network_.now() + kChangeMax);
  if (!may_go_on()) return;
  if (is_changing()) return fail("a change does not come to its end");
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
  if (const std::size_t live = worker.server_connections.live(); live != 0) {
    fail(fmt::format("{} connections to servers are left", live));
  }
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
