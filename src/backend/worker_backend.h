#pragma once
// WorkerBackend: one worker's view of a backend: the picker's state, the servers that refused it a
// moment ago, and its pools of idle connections.

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/server_connection.h"
#include "base/slab.h"
#include "net/cancel_slot.h"
#include "runtime/task.h"

namespace weir::backend {

class WorkerBackend;

// The idle connections of one worker to one server.
class ServerPool {
 public:
  ServerPool(WorkerBackend& owner, Server& server, stats::ServerCells& cells) noexcept
      : owner_(owner), server_(server), cells_(cells) {}
  ServerPool(ServerPool&&) = delete;

  Server& server() noexcept { return server_; }
  stats::ServerCells& cells() noexcept { return cells_; }
  WorkerBackend& owner() noexcept { return owner_; }

 private:
  friend class WorkerBackend;
  WorkerBackend& owner_;
  Server& server_;
  stats::ServerCells& cells_;
  IntrusiveList<ServerConnection> idle_;  // the one used last in front
  std::uint32_t idle_count_ = 0;
  TimePoint left_out_until_{};
};

// The right to use a server for one attempt; ends when it goes out of scope.
class ServerLease {
 public:
  ServerLease() = default;
  ServerLease(WorkerBackend& owner, balance::ServerIndex index) noexcept;
  ServerLease(ServerLease&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)), index_(other.index_) {}
  ServerLease& operator=(ServerLease&& other) noexcept;
  ~ServerLease() { release(); }

  explicit operator bool() const noexcept { return owner_ != nullptr; }
  balance::ServerIndex index() const noexcept { return index_; }
  Server& server() const noexcept;
  stats::ServerCells& cells() const noexcept;
  WorkerBackend& owner() const noexcept { return *owner_; }
  void release() noexcept;

 private:
  WorkerBackend* owner_ = nullptr;
  balance::ServerIndex index_ = balance::ServerIndex::none;
};

// Whether a connection that turns out to be dead may be replaced: a request that could not be sent
// again takes a pooled connection only if it was in use within the last second.
enum class Replay : std::uint8_t { impossible, possible };

struct ConnectOptions {
  std::uint16_t port = 0;  // of the listener, for a server without one
  Replay replay = Replay::possible;
  TimePoint due = kNever;  // when the attempt's time ends, if before timeouts.connect
};

class WorkerBackend {
 public:
  // workers: how many share the backend, this one included.
  WorkerBackend(Worker& worker, std::shared_ptr<Backend> backend, std::uint32_t workers,
                const http1::HeadLimits& response_limits);
  WorkerBackend(const WorkerBackend&) = delete;
  // All leases have ended and all connections are idle or closed.
  ~WorkerBackend();

  Backend& backend() noexcept { return *backend_; }
  stats::BackendCells& cells() noexcept { return cells_; }

  // A server that is in `tried` is not picked again. Backups have their turn when no primary can be
  // picked; those that refused a moment ago only when nobody else can. No lease: there is no other.
  ServerLease pick(std::span<const balance::ServerIndex> tried) noexcept;

  // An idle connection, or a new one; never waits longer than timeouts.connect. It goes back by
  // keep() or close(). Cancelling the slot ends the wait.
  Task<Result<ServerConnection*>> connect(const ServerLease& lease, ConnectOptions options,
                                          net::CancelSlot& cancel);
  // A connected socket to the server, which no pool knows: for tunnels.
  Task<Result<void>> connect_stream(net::SocketStream& stream, const ServerLease& lease,
                                    ConnectOptions options);
  Result<Socket*> make_socket(const ServerLease& lease) noexcept;

  // The exchange on the connection is over and it may serve another one.
  void keep(ServerConnection& connection) noexcept;
  void close(ServerConnection& connection) noexcept;
  void close_idle() noexcept;
  // One that was idle turned out to be dead: the others of its server are not to be relied on
  // either.
  void close_idle_of(balance::ServerIndex server) noexcept { close_idle(pool_of(server)); }

 private:
  friend class ServerLease;
  friend struct ServerConnection::AtRest;
  ServerPool& pool_of(balance::ServerIndex index) noexcept {
    return *pools_[balance::to_number(index)];
  }
  void close_idle(ServerPool& pool) noexcept;
  ServerConnection* take_idle(ServerPool& pool, Replay replay) noexcept;
  void take_out(ServerConnection& connection) noexcept;
  void leave_out(balance::ServerIndex index) noexcept;
  void let_in_again() noexcept;
  balance::ServerIndex pick_by_role(const balance::PickInput& input) noexcept;
  balance::State& state(balance::ServerRole role) noexcept {
    return *states_[std::to_underlying(role)];
  }

  Worker& worker_;
  std::shared_ptr<Backend> backend_;
  stats::BackendCells& cells_;
  const http1::HeadLimits& response_limits_;
  std::uint32_t idle_max_;
  std::array<std::unique_ptr<balance::State>, 2> states_;  // by role, as the backend's tables
  balance::ServerSet left_out_;
  TimePoint next_let_in_ = kNever;
  std::vector<std::unique_ptr<ServerPool>> pools_;
  Slab<ServerConnection> connections_;
};

}  // namespace weir::backend
