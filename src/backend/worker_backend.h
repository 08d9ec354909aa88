#pragma once
// WorkerBackend: one worker's view of one generation of a backend: the picker's state, the servers
// that refused it a moment ago or are full, and its pools. What is under way holds the generation
// whose settings it began with; servers are picked from the newest one.

#include <array>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/server_pool.h"
#include "runtime/task.h"

namespace weir::backend {

struct ConnectOptions {
  std::uint16_t port = 0;  // of the listener, for a server without one
  Replay replay = Replay::possible;
  TimePoint due = kNever;  // when the attempt's time ends, if before timeouts.connect
};

// No lease: nobody can be used, or all that could are full.
struct Picked {
  ServerLease lease;
  bool is_full = false;
};

class WorkerBackend : public LocalCounted, private Link {
 public:
  // connections: of the worker. predecessor: the worker's view of the generation before, or
  // nullptr; pools, and the picker's position if the servers are the same, are taken over.
  WorkerBackend(Worker& worker, std::shared_ptr<Backend> backend, std::uint32_t workers,
                Slab<ServerConnection>& connections, WorkerBackend* predecessor = nullptr);
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
  Picked pick(std::span<const LocalRef<ServerPool>> tried) noexcept;
  // Who waits while all servers are full; a newcomer must not overtake them.
  WorkerWaitQueue& wait_queue() noexcept { return *wait_queue_; }
  bool has_waiters() const noexcept {
    return backend_->may_be_full() && backend_->wait_queue().waiting() != 0;
  }

  // An idle connection, or a new one; never waits longer than timeouts.connect. It goes back by its
  // pool's keep() or close(). Cancelling the slot ends the wait.
  Task<Result<ServerConnection*>> connect(const ServerLease& lease, ConnectOptions options,
                                          net::CancelSlot& cancel);
  // A connected socket to the server, which no pool knows: for tunnels.
  Task<Result<void>> connect_stream(net::SocketStream& stream, const ServerLease& lease,
                                    ConnectOptions options);
  Result<Socket*> make_socket(const ServerLease& lease) noexcept;

  // Weights or states of servers have changed. Gives back what was in force, for somebody else to
  // destroy.
  std::shared_ptr<const Candidates> adopt(std::shared_ptr<const Candidates> candidates) noexcept;
  // The backend is no longer configured. What is under way may still pick from it.
  void retire() noexcept;
  void close_idle() noexcept;

 private:
  friend class ServerLease;
  friend class IntrusiveList<WorkerBackend>;
  void take_over(WorkerBackend& predecessor) noexcept;
  void succeed(WorkerBackend& older) noexcept;
  void start_picking(std::uint32_t workers);
  void on_release(balance::ServerIndex index) noexcept;
  void leave_out(balance::ServerIndex index) noexcept;
  void let_in_again() noexcept;
  void look_at_full() noexcept;
  balance::ServerIndex pick_candidate(balance::PickInput& input) noexcept;
  balance::ServerIndex pick_by_role(const balance::PickInput& input) noexcept;
  const balance::Table* table(balance::ServerRole role) const noexcept {
    return candidates_->tables[std::to_underlying(role)].get();
  }
  balance::State& state(balance::ServerRole role) noexcept {
    return *states_[std::to_underlying(role)];
  }

  Worker& worker_;
  std::shared_ptr<Backend> backend_;
  stats::BackendCells& cells_;
  std::shared_ptr<const Candidates> candidates_;
  std::array<std::unique_ptr<balance::State>, 2> states_;  // by role
  balance::ServerSet left_out_;
  TimePoint next_let_in_ = kNever;  // kNever: left_out_ is empty
  balance::ServerSet full_;         // when they were last looked at
  bool some_full_ = false;
  balance::ServerSet excluded_;  // of the pick under way
  std::vector<LocalRef<ServerPool>> pools_;
  LocalRef<WorkerWaitQueue> wait_queue_;
  // Each older generation that somebody still holds points to the newest, and so keeps none of
  // those in between.
  LocalRef<WorkerBackend> successor_;
  IntrusiveList<WorkerBackend> older_;  // whose successor_ this is
};

}  // namespace weir::backend
