#include "backend/worker_backend.h"

#include <algorithm>
#include <map>

namespace weir::backend {

using balance::ServerIndex;
using balance::ServerRole;

WorkerBackend::WorkerBackend(Worker& worker, std::shared_ptr<Backend> backend,
                             std::uint32_t workers, Slab<ServerConnection>& connections,
                             WorkerBackend* predecessor)
    : worker_(worker),
      backend_(std::move(backend)),
      cells_(backend_->stats().of(worker.index())),
      candidates_(backend_->candidates()),
      left_out_(backend_->size()),
      full_(backend_->size()),
      excluded_(backend_->size()) {
  std::map<const Server*, LocalRef<ServerPool>> known;
  if (predecessor != nullptr) {
    for (const auto& pool : predecessor->pools_) known.emplace(&pool->server(), pool);
    wait_queue_ = predecessor->wait_queue_;
  } else {
    wait_queue_ = make_local<WorkerWaitQueue>(backend_->wait_queue(), worker);
  }
  const BackendSettings& settings = backend_->settings();
  for (std::size_t i = 0; i < backend_->size(); ++i) {
    const ServerIndex index = balance::to_server(i);
    const auto found = known.find(&backend_->server(index));
    pools_.push_back(found != known.end()
                         ? found->second
                         : make_local<ServerPool>(worker, backend_->servers()[i], connections));
    pools_.back()->belong_to(*this, index, settings.pool, workers);
    if (pools_.back()->left_out_until_ > worker.now()) {
      left_out_.insert(index);
      next_let_in_ = std::min(next_let_in_, pools_.back()->left_out_until_);
    }
  }
  start_picking(workers);
  if (predecessor != nullptr) take_over(*predecessor);
}

void WorkerBackend::start_picking(std::uint32_t workers) {
  for (const auto role : {ServerRole::primary, ServerRole::backup}) {
    if (table(role) == nullptr) continue;
    states_[std::to_underlying(role)] = backend_->picker().start(
        *table(role), balance::WorkerIndex(worker_.index()), static_cast<std::uint16_t>(workers));
  }
}

void WorkerBackend::take_over(WorkerBackend& predecessor) noexcept {
  const Backend& before = *predecessor.backend_;
  if (before.servers() == backend_->servers() &&
      before.settings().balance == backend_->settings().balance) {
    for (std::size_t role = 0; role < states_.size(); ++role) {
      if (states_[role] && predecessor.states_[role]) states_[role].swap(predecessor.states_[role]);
    }
  }
  for (const auto& pool : predecessor.pools_) {
    if (pool->owner() != &predecessor) continue;
    pool->retire(before.settings().drain_deadline);
    pool->belong_to_nobody();
  }
  predecessor.older_.for_each([this](WorkerBackend& older) { succeed(older); });
  succeed(predecessor);
  // Who waits may have more to choose from.
  wait_queue_->on_slot_free();
}

void WorkerBackend::succeed(WorkerBackend& older) noexcept {
  older.unlink();
  older.successor_ = LocalRef<WorkerBackend>(*this);
  older_.push_back(older);
}

WorkerBackend::~WorkerBackend() {
  unlink();
  for (const auto& pool : pools_) {
    if (pool->owner() == this) pool->belong_to_nobody();
  }
}

void WorkerBackend::retire() noexcept {
  for (const auto& pool : pools_) pool->retire(backend_->settings().drain_deadline);
}

std::shared_ptr<const Candidates> WorkerBackend::adopt(
    std::shared_ptr<const Candidates> candidates) noexcept {
  candidates_.swap(candidates);
  full_.clear();
  some_full_ = false;
  for (const auto& pool : pools_) pool->apply_admin_state(backend_->settings().drain_deadline);
  wait_queue_->on_slot_free();
  return candidates;
}

Picked WorkerBackend::pick(std::span<const LocalRef<ServerPool>> tried) noexcept {
  if (next_let_in_ <= worker_.now()) let_in_again();
  if (some_full_) look_at_full();
  std::array<ServerIndex, kAttemptsMax> tried_here;
  std::size_t count = 0;
  for (const auto& pool : tried) {
    if (pool->owner() == this) tried_here[count++] = pool->index();
  }
  balance::PickInput input{.tried = {tried_here.data(), count},
                           .leases = backend_->lease_counters(),
                           .random = worker_.random().next(),
                           .now = worker_.now()};
  for (;;) {
    const ServerIndex index = pick_candidate(input);
    if (index == ServerIndex::none) return {.lease = {}, .is_full = some_full_};
    ServerPool& pool = pool_of(index);
    if (pool.server().try_begin_lease()) {
      const ServerRole role = backend_->role_of(index);
      backend_->picker().on_lease(*table(role), state(role), index);
      return {.lease = ServerLease(pool)};
    }
    full_.insert(index);
    some_full_ = true;
  }
}

// Those that refused a moment ago are better than nobody; those that are full are no choice.
ServerIndex WorkerBackend::pick_candidate(balance::PickInput& input) noexcept {
  if (next_let_in_ != kNever) {
    excluded_ = left_out_;
    if (some_full_) excluded_.insert_all(full_);
    input.excluded = &excluded_;
    const ServerIndex index = pick_by_role(input);
    if (index != ServerIndex::none) return index;
  }
  input.excluded = some_full_ ? &full_ : nullptr;
  return pick_by_role(input);
}

ServerIndex WorkerBackend::pick_by_role(const balance::PickInput& input) noexcept {
  using enum ServerRole;
  const balance::Picker& picker = backend_->picker();
  const ServerIndex index = picker.pick(*table(primary), state(primary), input);
  if (index != ServerIndex::none || table(backup) == nullptr) return index;
  return picker.pick(*table(backup), state(backup), input);
}

void WorkerBackend::on_release(ServerIndex index) noexcept {
  const ServerRole role = backend_->role_of(index);
  backend_->picker().on_release(*table(role), state(role), index);
  if (backend_->may_be_full()) wait_queue_->on_slot_free();
}

void WorkerBackend::leave_out(ServerIndex index) noexcept {
  const Duration pause = backend_->settings().refused_pause;
  if (pause == Duration::zero()) return;
  ServerPool& pool = pool_of(index);
  pool.left_out_until_ = worker_.now() + pause;
  left_out_.insert(index);
  next_let_in_ = std::min(next_let_in_, pool.left_out_until_);
}

void WorkerBackend::let_in_again() noexcept {
  next_let_in_ = kNever;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const ServerIndex index = balance::to_server(i);
    if (!left_out_.contains(index)) continue;
    if (pools_[i]->left_out_until_ <= worker_.now()) {
      left_out_.erase(index);
    } else {
      next_let_in_ = std::min(next_let_in_, pools_[i]->left_out_until_);
    }
  }
}

void WorkerBackend::look_at_full() noexcept {
  some_full_ = false;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const ServerIndex index = balance::to_server(i);
    if (!full_.contains(index)) continue;
    if (pools_[i]->server().has_free_slot()) {
      full_.erase(index);
    } else {
      some_full_ = true;
    }
  }
}

Result<Socket*> WorkerBackend::make_socket(const ServerLease& lease) noexcept {
  return worker_.reactor().make_stream_socket(lease.server().address().family());
}

Task<Result<void>> WorkerBackend::connect_stream(net::SocketStream& stream,
                                                 const ServerLease& lease, ConnectOptions options) {
  net::Address address = lease.server().address();
  if (address.port() == 0) address.set_port(options.port);
  lease.cells().connects.add();
  const TimePoint due = worker_.now() + backend_->settings().timeouts.connect;
  const auto connected = co_await stream.connect(address, std::min(due, options.due));
  if (connected) co_return Result<void>();
  Error error = connected.error();
  if (error.kind == ErrorKind::timeout) error.kind = ErrorKind::connect_timeout;
  if (error.kind == ErrorKind::io || error.kind == ErrorKind::server_reset) {
    error.kind = ErrorKind::connect_failed;
  }
  // What Weir itself gave up, or ran out of, says nothing about the server.
  if (error.side == Side::server) {
    lease.cells().connect_failures.add();
    ServerPool& pool = lease.pool();
    if (pool.owner() != nullptr) pool.owner()->leave_out(pool.index());
  }
  co_return fail(error);
}

Task<Result<ServerConnection*>> WorkerBackend::connect(const ServerLease& lease,
                                                       ConnectOptions options,
                                                       net::CancelSlot& cancel) {
  ServerPool& pool = lease.pool();
  if (ServerConnection* idle = pool.take_idle(options.replay)) {
    pool.cells().reuses.add();
    co_return idle;
  }
  Socket* socket = WEIR_CO_TRY(make_socket(lease));
  ServerConnection& connection = pool.make_connection(*socket);
  cancel.hold(connection.stream);
  const auto connected = co_await connect_stream(connection.stream, lease, options);
  cancel.let_go();
  if (!connected) {
    pool.close(connection);
    co_return fail(connected.error());
  }
  co_return &connection;
}

void WorkerBackend::close_idle() noexcept {
  for (const auto& pool : pools_) pool->close_idle();
}

}  // namespace weir::backend
