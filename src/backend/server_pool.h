#pragma once
// ServerPool: what one worker has to do with one server: its idle connections, and who uses the
// server at present. It lives as long as a backend of the worker has the server, or a lease.

#include <memory>

#include "backend/server.h"
#include "backend/server_connection.h"
#include "backend/wait_queue.h"
#include "base/local_ref.h"
#include "base/slab.h"
#include "net/cancel_slot.h"

namespace weir::backend {

class LeaseUse;
class WorkerBackend;

// Whether a connection that turns out to be dead may be replaced: a request that could not be sent
// again takes a pooled connection only if it was in use within the last second.
enum class Replay : std::uint8_t { impossible, possible };

class ServerPool : public LocalCounted {
 public:
  // The slab must outlive the pool.
  ServerPool(Worker& worker, std::shared_ptr<Server> server, Slab<ServerConnection>& connections);
  // No connection is in use.
  ~ServerPool() { close_idle(); }

  Server& server() const noexcept { return *server_; }
  stats::ServerCells& cells() const noexcept { return cells_; }
  stats::BackendCells& backend_cells() const noexcept { return backend_cells_; }

  // The worker's newest backend that has the server, and the server's place in it. nullptr: the
  // server has left.
  WorkerBackend* owner() const noexcept { return owner_; }
  balance::ServerIndex index() const noexcept { return index_; }
  void belong_to(WorkerBackend& owner, balance::ServerIndex index, const PoolSettings& settings,
                 std::uint32_t workers) noexcept;
  // The server or its backend is no longer configured: idle connections are closed, and what is
  // under way is cut after the deadline.
  void retire(Duration drain_deadline) noexcept;
  void belong_to_nobody() noexcept {
    owner_ = nullptr;
    index_ = balance::ServerIndex::none;
  }

  // What the operator says has changed.
  void apply_admin_state(Duration drain_deadline) noexcept;

  // An idle connection, out of the pool; nullptr: there is none that is good enough.
  ServerConnection* take_idle(Replay replay) noexcept;
  ServerConnection& make_connection(Socket& socket);
  // The exchange on the connection is over and it may serve another one.
  void keep(ServerConnection& connection) noexcept;
  void close(ServerConnection& connection) noexcept;
  void close_idle() noexcept;

 private:
  friend class WorkerBackend;
  friend class ServerLease;
  friend class LeaseUse;
  friend struct ServerConnection::AtRest;
  struct DrainLimit : Timer {
    explicit DrainLimit(ServerPool& owner) noexcept;
    ServerPool& pool;
  };
  void take_out(ServerConnection& connection) noexcept;
  void close_surplus() noexcept;
  void limit_drain(Duration deadline) noexcept;
  void cut_uses() noexcept;

  Worker& worker_;
  std::shared_ptr<Server> server_;
  stats::ServerCells& cells_;
  stats::BackendCells& backend_cells_;
  Slab<ServerConnection>& connections_;
  WorkerBackend* owner_ = nullptr;
  std::shared_ptr<WaitQueue> wait_queue_;  // of the backend, which the leases may outlive
  balance::ServerIndex index_ = balance::ServerIndex::none;
  IntrusiveList<ServerConnection> idle_;  // the one used last in front
  std::uint32_t idle_count_ = 0;
  std::uint32_t idle_max_ = 0;
  std::uint32_t exchanges_max_ = 0;  // of a connection; 0: no limit
  Duration idle_timeout_{};
  bool is_retired_ = false;
  IntrusiveList<LeaseUse> uses_;
  DrainLimit drain_limit_;
};

// The right to use a server for one attempt; ends when it goes out of scope.
class ServerLease {
 public:
  ServerLease() = default;
  // The slot has been taken.
  explicit ServerLease(ServerPool& pool) noexcept : pool_(pool) {}
  ServerLease(ServerLease&&) = default;
  ServerLease& operator=(ServerLease&& other) noexcept {
    release();
    pool_ = std::move(other.pool_);
    return *this;
  }
  ~ServerLease() { release(); }

  explicit operator bool() const noexcept { return static_cast<bool>(pool_); }
  ServerPool& pool() const noexcept { return *pool_; }
  balance::ServerIndex index() const noexcept { return pool_->index(); }
  Server& server() const noexcept { return pool_->server(); }
  stats::ServerCells& cells() const noexcept { return pool_->cells(); }
  void release() noexcept;

 private:
  LocalRef<ServerPool> pool_;
};

// What a lease is used for, while it is: cut when the server has been drained for too long. In the
// frame of the user, beside the lease.
class LeaseUse : public Link {
 public:
  LeaseUse(const ServerLease& lease, net::CancelSlot& work) noexcept : work_(work) {
    lease.pool().uses_.push_back(*this);
  }
  // The next exchange on the connection is none of the drained server's.
  ~LeaseUse() { work_.forget(ErrorKind::server_drained); }

 private:
  friend class ServerPool;
  net::CancelSlot& work_;
};

}  // namespace weir::backend
