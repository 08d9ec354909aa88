#pragma once
// WorkerBackend: one worker's view of one generation of a backend: how it picks servers, and its
// pools. What is under way holds the generation whose settings it began with; servers are picked
// from the newest one.

#include <memory>
#include <span>
#include <vector>

#include "backend/server_choice.h"
#include "backend/server_pool.h"
#include "runtime/task.h"

namespace weir::backend {

struct ConnectOptions {
  std::uint16_t port = 0;  // of the listener, for a server without one
  Replay replay = Replay::possible;
  TimePoint due = kNever;             // when the attempt's time ends, if before timeouts.connect
  std::string_view first_bytes = {};  // that a new connection begins with; until it is there
  LocalRef<PoolAddress>* reached = nullptr;  // is told the connection's address, or the last tried
};

// No lease: nobody can be used, or all that could are full.
struct Picked {
  ServerLease lease;
  bool is_full = false;
};

class WorkerBackend : public LocalCounted, private Link {
 public:
  // connections: of the worker, which outlive it. predecessor: the worker's view of the generation
  // before, or nullptr; pools, and the picker's position if the servers are the same, are taken
  // over.
  WorkerBackend(Worker& worker, std::shared_ptr<Backend> backend, std::uint32_t workers,
                ServerConnections& connections, WorkerBackend* predecessor = nullptr);
  ~WorkerBackend();

  Worker& worker() const noexcept { return worker_; }
  const Backend& backend() const noexcept { return *backend_; }
  stats::BackendCells& cells() const noexcept { return cells_; }
  // The generation that is in force now.
  WorkerBackend& newest() noexcept { return successor_ ? *successor_ : *this; }

  ServerPool& pool_of(balance::ServerIndex index) const noexcept {
    return *pools_[balance::to_number(index)];
  }

  // A server that is in `tried` is not picked again. Backups have their turn when no primary can be
  // picked; those that refused a moment ago only when nobody else can.
  Picked pick(const PickFor& request, std::span<const LocalRef<ServerPool>> tried) noexcept;
  // What pick(request, {}) would give now. Moves nothing; allocates.
  ExplainedPick explain_pick(const PickFor& request) const {
    return choice_.explain(request, worker_.random(), worker_.now());
  }
  const ServerChoice& choice() const noexcept { return choice_; }
  // Who waits while all servers are full; a newcomer must not overtake them.
  WorkerWaitQueue& wait_queue() noexcept { return *wait_queue_; }
  // Nor has anybody to wait for a server that nobody would get.
  bool has_waiters() const noexcept {
    return choice_.has_candidates() && backend_->may_be_full() &&
           backend_->wait_queue().waiting() != 0;
  }

  // The server of that index refused a connection just now.
  void leave_out(balance::ServerIndex index) noexcept { choice_.leave_out(index, worker_.now()); }
  // A stream of a connection that is there, or of a new one; never waits longer than
  // timeouts.connect. Cancelling the slot ends the wait.
  Task<Result<ServerStream>> connect(const ServerLease& lease, ConnectOptions options,
                                     net::CancelSlot& cancel);

  // Weights, states or addresses of servers have changed. Gives back what was in force, for
  // somebody else to destroy.
  std::shared_ptr<const Candidates> adopt(std::shared_ptr<const Candidates> candidates) noexcept;
  // The backend is no longer configured. What is under way may still pick from it.
  void retire() noexcept;
  void close_idle() noexcept;

 private:
  friend class ServerLease;
  friend class IntrusiveList<WorkerBackend>;
  void take_over(WorkerBackend& predecessor) noexcept;
  void succeed(WorkerBackend& older) noexcept;
  void on_response(balance::ServerIndex index, Duration after) noexcept {
    choice_.on_response(index, after, worker_.now());
  }
  void on_release(balance::ServerIndex index, balance::AttemptEnd end) noexcept;

  Worker& worker_;
  std::shared_ptr<Backend> backend_;
  stats::BackendCells& cells_;
  ServerChoice choice_;
  std::vector<LocalRef<ServerPool>> pools_;
  LocalRef<WorkerWaitQueue> wait_queue_;
  // Each older generation that somebody still holds points to the newest, and so keeps none of
  // those in between.
  LocalRef<WorkerBackend> successor_;
  IntrusiveList<WorkerBackend> older_;  // whose successor_ this is
};

}  // namespace weir::backend
