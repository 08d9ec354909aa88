#include "backend/server_pool.h"

#include "backend/worker_backend.h"

namespace weir::backend {
namespace {

constexpr http1::HeadLimits kResponseLimits;

}  // namespace

ServerConnection::ServerConnection(ServerPool& owner, Worker& worker, Socket& socket) noexcept
    : pool(owner),
      stream(worker, socket, Side::server),
      http(worker, stream, kResponseLimits),
      at_rest(*this),
      idle_limit(*this) {}

ServerConnection::AtRest::AtRest(ServerConnection& owner) noexcept
    : Waiter([](Waiter& self) noexcept {
        ServerConnection& connection = static_cast<AtRest&>(self).connection;
        ServerPool& pool = connection.pool;
        pool.take_out(connection);
        pool.close(connection);
      }),
      connection(owner) {}

ServerConnection::IdleLimit::IdleLimit(ServerConnection& owner) noexcept
    : Timer([](Timer& self) noexcept {
        static_cast<IdleLimit&>(self).connection.at_rest.call_back();
      }),
      connection(owner) {}

ServerPool::DrainLimit::DrainLimit(ServerPool& owner) noexcept
    : Timer([](Timer& self) noexcept { static_cast<DrainLimit&>(self).pool.cut_uses(); }),
      pool(owner) {}

ServerPool::ServerPool(Worker& worker, std::shared_ptr<Server> server,
                       Slab<ServerConnection>& connections)
    : worker_(worker),
      server_(std::move(server)),
      cells_(server_->stats().of(worker.index())),
      backend_cells_(server_->backend_stats().of(worker.index())),
      connections_(connections),
      drain_limit_(*this) {}

void ServerPool::belong_to(WorkerBackend& owner, balance::ServerIndex index,
                           const PoolSettings& settings, std::uint32_t workers) noexcept {
  owner_ = &owner;
  wait_queue_ = owner.backend().shared_wait_queue();
  index_ = index;
  // The limit is the process's; a worker's share of it is at least one unless there is none.
  idle_max_ = (settings.idle_max + workers - 1) / workers;
  idle_timeout_ = settings.idle_timeout;
  exchanges_max_ = settings.requests_max.value_or(0);
  close_surplus();
}

void ServerPool::retire(Duration drain_deadline) noexcept {
  is_retired_ = true;
  close_idle();
  limit_drain(drain_deadline);
}

void ServerPool::apply_admin_state(Duration drain_deadline) noexcept {
  const AdminState state = server_->admin_state();
  if (state != AdminState::ready) close_idle();
  if (state != AdminState::draining) return drain_limit_.disarm();
  limit_drain(drain_deadline);
}

// A drain that goes on keeps the limit that it began with.
void ServerPool::limit_drain(Duration deadline) noexcept {
  if (drain_limit_.is_armed()) return;
  drain_limit_.arm(worker_.timers(), worker_.now() + deadline);
}

void ServerPool::cut_uses() noexcept {
  uses_.for_each([](LeaseUse& use) {
    use.unlink();
    use.work_.cancel(make_error(ErrorKind::server_drained, Side::weir));
  });
}

ServerConnection* ServerPool::take_idle(Replay replay) noexcept {
  constexpr Duration kSurelyAlive = std::chrono::seconds(1);
  if (idle_.is_empty()) return nullptr;
  ServerConnection& newest = idle_.front();
  if (replay == Replay::impossible && worker_.now() - newest.idle_since > kSurelyAlive) {
    return nullptr;
  }
  take_out(newest);
  return &newest;
}

void ServerPool::take_out(ServerConnection& connection) noexcept {
  connection.unlink();
  --idle_count_;
  connection.stream.stop_watching();
  connection.idle_limit.disarm();
}

ServerConnection& ServerPool::make_connection(Socket& socket) {
  return connections_.make(*this, worker_, socket);
}

void ServerPool::keep(ServerConnection& connection) noexcept {
  connection.http.finish_exchange();
  ++connection.exchanges;
  const bool is_used_up = exchanges_max_ != 0 && connection.exchanges >= exchanges_max_;
  const bool is_wanted = !is_retired_ && server_->admin_state() == AdminState::ready;
  if (idle_max_ == 0 || is_used_up || !is_wanted || !connection.http.is_reusable()) {
    return close(connection);
  }
  connection.idle_since = worker_.now();
  while (connection.stream.watch_rest(connection.at_rest) == Started::completed) {
    // Readable, as far as is known: the server has closed, or said what nobody asked for.
    char unasked[1];
    if (!connection.stream.try_receive(unasked).is_would_block()) return close(connection);
  }
  idle_.push_front(connection);
  ++idle_count_;
  connection.idle_limit.arm(worker_.timers(), worker_.now() + idle_timeout_);
  close_surplus();
}

void ServerPool::close_surplus() noexcept {
  while (idle_count_ > idle_max_) {
    ServerConnection& oldest = idle_.back();
    take_out(oldest);
    close(oldest);
  }
}

void ServerPool::close(ServerConnection& connection) noexcept { connections_.destroy(connection); }

void ServerPool::close_idle() noexcept {
  while (!idle_.is_empty()) {
    ServerConnection& connection = idle_.front();
    take_out(connection);
    close(connection);
  }
}

void ServerLease::release() noexcept {
  if (!pool_) return;
  pool_->server().end_lease();
  if (WorkerBackend* owner = pool_->owner()) {
    owner->on_release(pool_->index());
  } else {
    // The backend may be gone from this worker only, while on another one somebody waits.
    pool_->wait_queue_->on_slot_free();
  }
  pool_.reset();
}

}  // namespace weir::backend
