#include "backend/worker_backend.h"

#include <algorithm>

namespace weir::backend {

ServerConnection::AtRest::AtRest(ServerConnection& owner) noexcept
    : Waiter([](Waiter& self) noexcept {
        ServerConnection& connection = static_cast<AtRest&>(self).connection;
        WorkerBackend& backend = connection.pool.owner();
        backend.take_out(connection);
        backend.close(connection);
      }),
      connection(owner) {}

ServerConnection::IdleLimit::IdleLimit(ServerConnection& owner) noexcept
    : Timer([](Timer& self) noexcept {
        static_cast<IdleLimit&>(self).connection.at_rest.call_back();
      }),
      connection(owner) {}

ServerLease::ServerLease(WorkerBackend& owner, balance::ServerIndex index) noexcept
    : owner_(&owner), index_(index) {
  server().leases_.fetch_add(1, std::memory_order_relaxed);
  const Backend& backend = owner.backend();
  const balance::ServerRole role = server().role();
  backend.picker().on_lease(backend.table(role), owner.state(role), index);
}

ServerLease& ServerLease::operator=(ServerLease&& other) noexcept {
  if (this != &other) {
    release();
    owner_ = std::exchange(other.owner_, nullptr);
    index_ = other.index_;
  }
  return *this;
}

Server& ServerLease::server() const noexcept { return owner_->backend().server(index_); }

stats::ServerCells& ServerLease::cells() const noexcept { return owner_->pool_of(index_).cells(); }

void ServerLease::release() noexcept {
  if (owner_ == nullptr) return;
  server().leases_.fetch_sub(1, std::memory_order_relaxed);
  const Backend& backend = owner_->backend();
  const balance::ServerRole role = server().role();
  backend.picker().on_release(backend.table(role), owner_->state(role), index_);
  owner_ = nullptr;
}

WorkerBackend::WorkerBackend(Worker& worker, std::shared_ptr<Backend> backend,
                             std::uint32_t workers, const http1::HeadLimits& response_limits)
    : worker_(worker),
      backend_(std::move(backend)),
      cells_(backend_->stats().of(worker.index())),
      response_limits_(response_limits),
      left_out_(backend_->size()) {
  // The limit is the process's; a worker's share of it is at least one unless there is none.
  const std::uint32_t idle_max = backend_->settings().pool.idle_max;
  idle_max_ = (idle_max + workers - 1) / workers;
  for (const auto role : {balance::ServerRole::primary, balance::ServerRole::backup}) {
    if (role == balance::ServerRole::backup && !backend_->has_backups()) continue;
    states_[std::to_underlying(role)] =
        backend_->picker().start(backend_->table(role), balance::WorkerIndex(worker.index()),
                                 static_cast<std::uint16_t>(workers));
  }
  for (std::size_t i = 0; i < backend_->size(); ++i) {
    Server& server = backend_->server(balance::to_server(i));
    pools_.push_back(
        std::make_unique<ServerPool>(*this, server, server.stats().of(worker.index())));
  }
}

WorkerBackend::~WorkerBackend() { close_idle(); }

ServerLease WorkerBackend::pick(std::span<const balance::ServerIndex> tried) noexcept {
  if (next_let_in_ <= worker_.now()) let_in_again();
  balance::PickInput input{.tried = tried,
                           .leases = backend_->lease_counters(),
                           .random = worker_.random().next(),
                           .now = worker_.now()};
  if (next_let_in_ != kNever) {
    input.excluded = &left_out_;
    const balance::ServerIndex index = pick_by_role(input);
    if (index != balance::ServerIndex::none) return ServerLease(*this, index);
    // A server that refused a moment ago is better than none.
    input.excluded = nullptr;
  }
  const balance::ServerIndex index = pick_by_role(input);
  return index == balance::ServerIndex::none ? ServerLease() : ServerLease(*this, index);
}

balance::ServerIndex WorkerBackend::pick_by_role(const balance::PickInput& input) noexcept {
  using enum balance::ServerRole;
  const balance::Picker& picker = backend_->picker();
  const balance::ServerIndex index = picker.pick(backend_->table(primary), state(primary), input);
  if (index != balance::ServerIndex::none || !backend_->has_backups()) return index;
  return picker.pick(backend_->table(backup), state(backup), input);
}

void WorkerBackend::leave_out(balance::ServerIndex index) noexcept {
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
    const balance::ServerIndex index = balance::to_server(i);
    if (!left_out_.contains(index)) continue;
    if (pools_[i]->left_out_until_ <= worker_.now()) {
      left_out_.erase(index);
    } else {
      next_let_in_ = std::min(next_let_in_, pools_[i]->left_out_until_);
    }
  }
}

ServerConnection* WorkerBackend::take_idle(ServerPool& pool, Replay replay) noexcept {
  constexpr Duration kSurelyAlive = std::chrono::seconds(1);
  if (pool.idle_.is_empty()) return nullptr;
  ServerConnection& newest = pool.idle_.front();
  if (replay == Replay::impossible && worker_.now() - newest.idle_since > kSurelyAlive) {
    return nullptr;
  }
  take_out(newest);
  newest.reused = true;
  return &newest;
}

void WorkerBackend::take_out(ServerConnection& connection) noexcept {
  connection.unlink();
  --connection.pool.idle_count_;
  connection.stream.stop_watching();
  connection.idle_limit.disarm();
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
    leave_out(lease.index());
  }
  co_return fail(error);
}

Task<Result<ServerConnection*>> WorkerBackend::connect(const ServerLease& lease,
                                                       ConnectOptions options,
                                                       net::CancelSlot& cancel) {
  ServerPool& pool = pool_of(lease.index());
  if (ServerConnection* idle = take_idle(pool, options.replay)) {
    pool.cells_.reuses.add();
    co_return idle;
  }
  Socket* socket = WEIR_CO_TRY(make_socket(lease));
  ServerConnection& connection = connections_.make(pool, worker_, *socket, response_limits_);
  cancel.hold(connection.stream);
  const auto connected = co_await connect_stream(connection.stream, lease, options);
  cancel.let_go();
  if (!connected) {
    close(connection);
    co_return fail(connected.error());
  }
  co_return &connection;
}

void WorkerBackend::keep(ServerConnection& connection) noexcept {
  connection.http.finish_exchange();
  ServerPool& pool = connection.pool;
  if (idle_max_ == 0 || !connection.http.is_reusable()) return close(connection);
  connection.reused = true;
  connection.idle_since = worker_.now();
  while (connection.stream.watch_rest(connection.at_rest) == Started::completed) {
    // Readable, as far as is known: the server has closed, or said what nobody asked for.
    char unasked[1];
    if (!connection.stream.try_receive(unasked).is_would_block()) return close(connection);
  }
  pool.idle_.push_front(connection);
  ++pool.idle_count_;
  connection.idle_limit.arm(worker_.timers(),
                            worker_.now() + backend_->settings().pool.idle_timeout);
  if (pool.idle_count_ > idle_max_) {
    ServerConnection& oldest = pool.idle_.back();
    take_out(oldest);
    close(oldest);
  }
}

void WorkerBackend::close(ServerConnection& connection) noexcept {
  connections_.destroy(connection);
}

void WorkerBackend::close_idle() noexcept {
  for (auto& pool : pools_) close_idle(*pool);
}

void WorkerBackend::close_idle(ServerPool& pool) noexcept {
  while (!pool.idle_.is_empty()) {
    ServerConnection& connection = pool.idle_.front();
    take_out(connection);
    close(connection);
  }
}

}  // namespace weir::backend
