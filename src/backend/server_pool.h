#pragma once
// ServerPool: what one worker has to do with one server: its connections, and who uses the server
// at present. It lives as long as a backend of the worker has the server, or a lease.

#include <memory>
#include <span>
#include <vector>

#include "backend/server.h"
#include "backend/server_connection.h"
#include "backend/wait_queue.h"
#include "base/local_ref.h"
#include "net/cancel_slot.h"

namespace weir::backend {

class LeaseUse;
class ServerStream;
class WorkerBackend;

// Whether a connection that turns out to be dead may be replaced: a request that could not be sent
// again takes a pooled connection only if it was in use within the last second.
enum class Replay : std::uint8_t { impossible, possible };

class ServerPool : public LocalCounted {
 public:
  // The connections must outlive the pool.
  ServerPool(Worker& worker, std::shared_ptr<Server> server, ServerConnections& connections);
  // No connection is in use.
  ~ServerPool() { close_idle(); }

  Worker& worker() const noexcept { return worker_; }
  Server& server() const noexcept { return *server_; }
  stats::ServerCells& cells() const noexcept { return cells_; }
  stats::BackendCells& backend_cells() const noexcept { return backend_cells_; }

  // The worker's newest backend that has the server, and the server's place in it. nullptr: the
  // server has left.
  WorkerBackend* owner() const noexcept { return owner_; }
  balance::ServerIndex index() const noexcept { return index_; }
  void belong_to(WorkerBackend& owner, balance::ServerIndex index, const PoolSettings& settings,
                 std::uint32_t workers) noexcept;
  // A socket that is to be connected to an address of the server, with what is set for it.
  Result<Socket*> make_socket(const net::Address& address) noexcept;
  // The server or its backend is no longer configured: idle connections are closed, and what is
  // under way is cut after the deadline.
  void retire(Duration drain_deadline) noexcept;
  void belong_to_nobody() noexcept {
    owner_ = nullptr;
    index_ = balance::ServerIndex::none;
  }

  // Where the server is to be reached from now on. Idle connections to other addresses are closed;
  // those in use end with what they are used for.
  void adopt_addresses(const ServerAddresses& addresses);
  std::span<const LocalRef<PoolAddress>> addresses() const noexcept { return addresses_; }
  // How often the addresses have changed.
  std::uint32_t addresses_version() const noexcept { return addresses_version_; }
  // Where the next new connection begins with the addresses: each has its turn.
  std::size_t take_turn() noexcept { return turn_++ % addresses_.size(); }

  // What the operator says has changed.
  void apply_admin_state(Duration drain_deadline) noexcept;

  // A stream of a connection that is there; none, if there is no connection that is good enough:
  // with room beside the streams that it carries, or else at rest. port: of the listener, which is
  // that of a server without one.
  ServerStream open_stream(Replay replay, std::uint16_t port) noexcept;
  // 0: the server has a port of its own.
  std::uint16_t port_to_use(std::uint16_t of_listener) const noexcept {
    const net::Address& address = server_->address().address;
    return address.port() == 0 && !address.is_unix() ? of_listener : 0;
  }
  ServerConnection& make_connection(Socket& socket, PoolAddress& address);
  // The first stream of a connection that has been connected.
  ServerStream open_first_stream(ServerConnection& connection) noexcept;
  // For a connection, in a turn of its own: it may go on no more. Destroys it unless a stream is
  // still in use.
  void lose(ServerConnection& connection) noexcept;
  // It has no stream.
  void close(ServerConnection& connection) noexcept { connections_.destroy(connection); }
  void close_idle() noexcept;

 private:
  friend class WorkerBackend;
  friend class ServerLease;
  friend class ServerStream;
  friend class LeaseUse;
  struct DrainLimit : Timer {
    explicit DrainLimit(ServerPool& owner) noexcept;
    ServerPool& pool;
  };
  ServerConnection* find_usable(Replay replay, std::uint16_t port) noexcept;
  ServerStream open_stream_on(ServerConnection& connection) noexcept;
  void close_stream(ServerConnection& connection, net::ServerSideStream& stream,
                    Ended ended) noexcept;
  bool may_go_on(const ServerConnection& connection) const noexcept;
  void rest(ServerConnection& connection) noexcept;
  void take_out(ServerConnection& connection) noexcept;
  void close_used_up() noexcept;
  void close_surplus() noexcept;
  void close_gone() noexcept;
  void renew_addresses();
  void limit_drain(Duration deadline) noexcept;
  void cut_uses() noexcept;

  Worker& worker_;
  std::shared_ptr<Server> server_;
  stats::ServerCells& cells_;
  stats::BackendCells& backend_cells_;
  ServerConnections& connections_;
  WorkerBackend* owner_ = nullptr;
  std::shared_ptr<WaitQueue> wait_queue_;  // of the backend, which the leases may outlive
  balance::ServerIndex index_ = balance::ServerIndex::none;
  IntrusiveList<ServerConnection> idle_;       // at rest, the one used last in front
  IntrusiveList<ServerConnection> with_room_;  // in use, and may carry more streams
  std::uint32_t idle_count_ = 0;
  std::uint32_t idle_max_ = 0;
  std::uint32_t streams_max_ = 0;  // that a connection carries in all; 0: no limit
  Duration idle_timeout_{};
  std::optional<net::SourceAddress> source_;
  net::TcpSettings tcp_;
  bool is_retired_ = false;
  std::vector<LocalRef<PoolAddress>> addresses_;
  std::uint32_t addresses_version_ = 0;
  std::size_t turn_;
  IntrusiveList<LeaseUse> uses_;
  DrainLimit drain_limit_;
};

// The right to use a server for one attempt; ends when it goes out of scope.
class ServerLease {
 public:
  ServerLease() = default;
  // The slot has been taken, just now.
  ServerLease(ServerPool& pool, TimePoint now) noexcept : pool_(pool), began_(now) {}
  ServerLease(ServerLease&&) = default;
  ServerLease& operator=(ServerLease&& other) noexcept {
    release();
    pool_ = std::move(other.pool_);
    began_ = other.began_;
    outcome_ = other.outcome_;
    return *this;
  }
  ~ServerLease() { release(); }

  explicit operator bool() const noexcept { return static_cast<bool>(pool_); }
  ServerPool& pool() const noexcept { return *pool_; }
  balance::ServerIndex index() const noexcept { return pool_->index(); }
  Server& server() const noexcept { return pool_->server(); }
  stats::ServerCells& cells() const noexcept { return pool_->cells(); }
  // The response began, or the connection if it is a tunnel's, so long after it was asked for.
  void on_response(Duration after) const noexcept;
  // How the attempt went: cut, if neither is said; failed, if that is.
  void mark_whole() noexcept {
    if (outcome_ != balance::AttemptOutcome::failed) outcome_ = balance::AttemptOutcome::whole;
  }
  void mark_failed() noexcept { outcome_ = balance::AttemptOutcome::failed; }
  void release() noexcept;

 private:
  LocalRef<ServerPool> pool_;
  TimePoint began_{};
  balance::AttemptOutcome outcome_ = balance::AttemptOutcome::cut;
};

// What a request has of a connection to its server; given back when it goes out of scope. The lease
// outlives it.
class ServerStream {
 public:
  // None.
  ServerStream() = default;
  ServerStream(ServerStream&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)),
        http_(other.http_),
        is_reused_(other.is_reused_),
        was_at_rest_(other.was_at_rest_),
        ended_(other.ended_) {}
  ServerStream& operator=(ServerStream&& other) noexcept {
    std::swap(connection_, other.connection_);
    std::swap(http_, other.http_);
    std::swap(is_reused_, other.is_reused_);
    std::swap(was_at_rest_, other.was_at_rest_);
    std::swap(ended_, other.ended_);
    return *this;
  }
  ~ServerStream() {
    if (connection_ != nullptr) pool().close_stream(*connection_, *http_, ended_);
  }

  explicit operator bool() const noexcept { return connection_ != nullptr; }
  net::ServerSideStream& http() const noexcept { return *http_; }
  ServerConnection& connection() const noexcept { return *connection_; }
  ServerPool& pool() const noexcept { return connection_->pool; }
  // Whether the connection was there already.
  bool is_reused() const noexcept { return is_reused_; }
  // After a failure: whether the connection has ended, and was at rest before this: it may have
  // died of age, which says nothing about the server.
  bool may_have_died_at_rest() const noexcept { return was_at_rest_ && !connection_->may_go_on(); }
  // The exchange is over, with both messages complete.
  void mark_ended_well() noexcept { ended_ = Ended::well; }

 private:
  friend class ServerPool;
  ServerStream(ServerConnection& connection, net::ServerSideStream& http) noexcept
      : connection_(&connection),
        http_(&http),
        is_reused_(connection.streams_begun() > 1),
        was_at_rest_(is_reused_ && connection.streams_open() == 1) {}

  ServerConnection* connection_ = nullptr;
  net::ServerSideStream* http_ = nullptr;
  bool is_reused_ = false;
  bool was_at_rest_ = false;
  Ended ended_ = Ended::badly;
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
