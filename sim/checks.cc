#include "sim/checks.h"

#include <algorithm>

namespace weir::sim {

using backend::Backend;

namespace {

bool is_candidate(const Backend& backend, std::size_t place) {
  const backend::Server& server = *backend.servers()[place];
  const auto candidates = backend.candidates();
  return candidates->specs[place].weight != 0 && candidates->addresses[place]->problem.empty() &&
         server.admin_state() == backend::AdminState::ready;
}

}  // namespace

Checks::Checks(Ledger& ledger, HostId weir, proxy::ProxyShared& shared, const Workers& workers)
    : network_(ledger.network()), ledger_(ledger), weir_(weir), shared_(shared), workers_(workers) {
  for (const std::string_view name : {"web", "extra", "mux", "db"}) {
    listeners_.push_back(shared.registry.listener(name));
  }
}

Checks::ServerRecord& Checks::record_of(const std::shared_ptr<backend::Server>& server) {
  for (ServerRecord& record : servers_) {
    if (record.server.lock() == server) return record;
  }
  const auto& address =
      *reinterpret_cast<const sockaddr_in*>(server->address().address.view().address);
  servers_.push_back({.server = server,
                      .number = servers_.size(),
                      .host = network_.host_of(address),
                      .leases = server->leases()});
  return servers_.back();
}

Checks::Line* Checks::find_line(std::string_view name) noexcept {
  const auto found = std::ranges::find_if(
      lines_, [name](const Line& line) { return line.name == name && !line.is_retired; });
  return found == lines_.end() ? nullptr : &*found;
}

// Its servers may be picked, and connections to them be kept.
void Checks::admit(const Backend& backend) {
  const auto workers = static_cast<std::uint32_t>(workers_.size());
  const std::uint32_t idle_max = backend.settings().pool.idle_max;
  for (std::size_t i = 0; i < backend.size(); ++i) {
    ServerRecord& record = record_of(backend.servers()[i]);
    record.idle_max = std::max(record.idle_max, (idle_max + workers - 1) / workers * workers);
    if (is_candidate(backend, i)) record.may_be_picked = true;
  }
}

void Checks::begin_change(const std::shared_ptr<const proxy::Snapshot>& next) {
  std::set<std::string_view> names;
  for (const auto& backend : next->backends) {
    names.insert(backend->name());
    admit(*backend);
    stats_.try_emplace(backend->name(), shared_.registry.backend(backend->name()));
    const std::uint32_t length = backend->settings().queue_length;
    Line* line = find_line(backend->name());
    if (line == nullptr) {
      lines_.push_back({.name = backend->name(),
                        .newest = backend,
                        .length_least = length,
                        .length_most = length});
      generations_.push_back(backend);
      continue;
    }
    if (line->newest.lock() != backend) generations_.push_back(backend);
    line->newest = backend;
    line->length_least = std::min(line->length_least, length);
    line->length_most = std::max(line->length_most, length);
  }
  for (Line& line : lines_) {
    if (!names.contains(line.name)) line.is_retired = true;
  }
}

void Checks::end_change(const proxy::Snapshot& now) {
  for (ServerRecord& record : servers_) {
    record.may_be_picked = false;
    record.idle_max = 0;
  }
  for (const auto& backend : now.backends) {
    admit(*backend);
    Line& line = *find_line(backend->name());
    line.length_least = line.length_most = backend->settings().queue_length;
  }
  // What began on a backend that is gone may still pick from it.
  for (const Line& line : lines_) {
    if (!line.is_retired) continue;
    if (const auto backend = line.newest.lock()) admit(*backend);
  }
}

void Checks::check(const SimWorker* turned) {
  ++steps_;
  check_leases();
  check_queues(turned);
  check_loads();
  if (steps_ % 64 == 0) check_pools();
}

bool Checks::is_anybody_due() const noexcept {
  return std::ranges::any_of(workers_, [this](const auto& worker) {
    return worker->proxy != nullptr && worker->reactor->due() <= network_.now();
  });
}

std::size_t Checks::count_connections() const noexcept {
  std::size_t count = 0;
  for (const auto& worker : workers_) {
    if (worker->proxy != nullptr) count += worker->proxy->connections_open();
  }
  return count;
}

std::uint64_t Checks::waits() const noexcept {
  std::uint64_t count = 0;
  for (const auto& [name, stats] : stats_) count += stats->sum(&stats::BackendCells::queue_waits);
  return count;
}

void Checks::check_leases() {
  std::size_t leases = 0;
  for (ServerRecord& record : servers_) {
    const auto server = record.server.lock();
    const std::uint32_t before = record.leases;
    record.leases = server == nullptr ? 0 : server->leases();
    leases += record.leases;
    if (record.leases <= before) continue;
    if (server->maxconn() != 0 && record.leases > server->maxconn()) {
      fail(fmt::format("{} leases of {}, whose maxconn is {}", record.leases, server->full_name(),
                       server->maxconn()));
    }
    if (!record.may_be_picked) {
      fail(fmt::format("{} was picked, though every worker knows it is not to be",
                       server->full_name()));
    }
  }
  // A connection carries one exchange or tunnel at a time, but for the multiplexed ones, whose
  // streams have a socket of their own that is never connected.
  std::size_t carried = count_connections();
  for (const auto& worker : workers_) {
    if (worker->proxy != nullptr) carried += worker->reactor->unconnected_sockets();
  }
  if (leases > carried) {
    fail(fmt::format("{} leases for {} exchanges and tunnels", leases, carried));
  }
}

// Connections are in use or at rest, and only so many rest. Those that a worker has taken out of
// its pools may need its next turn to be closed.
void Checks::check_pools() {
  if (is_anybody_due()) return;
  std::map<HostId, std::size_t> room;
  for (const ServerRecord& record : servers_) {
    room[record.host] += record.leases + record.idle_max;
  }
  for (const auto& [host, most] : room) {
    const std::size_t open = network_.open_ends(weir_, host);
    if (open <= most) continue;
    fail(fmt::format("{} connections to {}, where {} may be in use and at rest", open,
                     network_.name_of(host), most));
  }
}

void Checks::check_queues(const SimWorker* turned) {
  if (turned != nullptr) check_refusals(*turned);
  for (Line& line : lines_) {
    const auto backend = line.newest.lock();
    const std::uint32_t before = line.waiting;
    line.waiting = backend == nullptr ? 0 : backend->wait_queue().waiting();
    if (line.waiting > before && line.waiting > line.length_most) {
      fail(fmt::format("{} wait for backend {}, and {} may", line.waiting, line.name,
                       line.length_most));
    }
    if (line.waiting != 0) check_waiters(line, *backend);
  }
}

// A queue was full only if those in it before the turn, and those of the turn, could have filled
// it. Called before the number of those waiting is renewed.
void Checks::check_refusals(const SimWorker& worker) {
  const std::uint32_t index = worker.worker->index();
  for (const auto& [name, stats] : stats_) {
    const stats::BackendCells& cells = stats->of(index);
    const auto kind = static_cast<std::size_t>(ErrorKind::queue_full);
    const QueueCounts now{cells.queue_waits.read(), cells.errors.kinds[kind].read()};
    const QueueCounts before = std::exchange(counts_[{name, index}], now);
    if (now.full == before.full) continue;
    const bool is_explained = std::ranges::any_of(lines_, [&](const Line& line) {
      return line.name == name && line.waiting + (now.waits - before.waits) > line.length_least;
    });
    if (!is_explained) fail(fmt::format("the queue of backend {} was full for no reason", name));
  }
}

// Once every worker has done what it has to, nobody waits while there is a slot.
void Checks::check_waiters(const Line& line, const Backend& backend) {
  if (is_anybody_due()) return;
  for (std::size_t i = 0; i < backend.size(); ++i) {
    const backend::Server& server = *backend.servers()[i];
    if (!is_candidate(backend, i) || !server.has_free_slot()) continue;
    fail(fmt::format("{} wait for backend {}, while {} has {} leases of {}", line.waiting,
                     line.name, server.full_name(), server.leases(), server.maxconn()));
  }
}

// Those that are passed from one worker to another are counted where they go to.
void Checks::check_loads() {
  if (is_anybody_due()) return;
  std::size_t loads = 0;
  for (std::uint32_t i = 0; i < workers_.size(); ++i) loads += shared_.loads.connections(i);
  if (const std::size_t open = count_connections(); loads != open) {
    fail(fmt::format("the workers count {} connections, and have {}", loads, open));
  }
}

void Checks::check_generations(const proxy::Snapshot& present) {
  for (const auto& generation : generations_) {
    const auto backend = generation.lock();
    if (backend == nullptr) continue;
    if (std::ranges::find(present.backends, backend) != present.backends.end()) continue;
    fail(fmt::format("an old generation of backend {} is left", backend->name()));
  }
}

void Checks::check_at_rest(const proxy::Snapshot& present) {
  for (const ServerRecord& record : servers_) {
    if (record.leases != 0)
      fail(fmt::format("{} leases of server {} are left", record.leases, record.number));
  }
  for (const Line& line : lines_) {
    if (line.waiting != 0) fail(fmt::format("{} still wait for {}", line.waiting, line.name));
  }
  check_generations(present);
}

void Checks::check_end(const proxy::Snapshot& present) {
  check_at_rest(present);
  for (const auto& listener : listeners_) {
    const std::uint64_t accepted = listener->sum(&stats::ListenerCells::connections);
    const std::uint64_t closed = listener->sum(&stats::ListenerCells::connections_closed);
    if (accepted == closed) continue;
    fail(fmt::format("{} connections of {} were accepted, and {} closed", accepted,
                     listener->labels(), closed));
  }
  if (const std::size_t open = network_.open_ends(weir_); open != 0) {
    fail(fmt::format("{} connections are left open", open));
  }
}

}  // namespace weir::sim
