#pragma once
// ProxyWorker: all that one worker needs to carry traffic: its reactor, the snapshot, its view of
// each backend, the connections it owns, its counters and its log. Lives on the worker's thread.

#include <array>
#include <memory>
#include <vector>

#include "backend/worker_backend.h"
#include "base/log_ring.h"
#include "base/slab.h"
#include "net/cancel_slot.h"
#include "protocol/http/date.h"
#include "proxy/snapshot.h"
#include "runtime/scope.h"
#include "runtime/worker.h"
#include "stats/access_log.h"

namespace weir::proxy {

class ProxyWorker;
class WorkerListener;

// One client connection; a task serves it.
class ClientConnection : public Link {
 public:
  ClientConnection(ProxyWorker& worker, WorkerListener& listener, Socket& socket,
                   const net::Address& peer) noexcept;

  // idle: between two requests. A drain ends the connection then.
  enum class Phase : std::uint8_t { idle, busy };

  ProxyWorker& worker;
  WorkerListener& listener;
  net::Address peer;
  net::SocketStream stream;
  net::CancelSlot server_side;
  TimePoint accepted_at;
  Phase phase = Phase::busy;

  // Ends the connection wherever it is.
  void abort(Error reason) noexcept;
};

class ProxyWorker {
 public:
  ProxyWorker(Worker& worker, std::uint32_t workers, std::shared_ptr<const Snapshot> snapshot,
              stats::Registry& registry, LogRing& access_log);
  ProxyWorker(const ProxyWorker&) = delete;
  ~ProxyWorker();

  Worker& worker() noexcept { return worker_; }
  stats::WorkerCells& cells() noexcept { return cells_; }
  backend::WorkerBackend& backend(BackendIndex index) noexcept {
    return *backends_[static_cast<std::size_t>(index)];
  }
  const Snapshot& snapshot() const noexcept { return *snapshot_; }

  // The task that serves one connection, by the listener's protocol. It ends with end_connection().
  using Serve = Task<void> (*)(ClientConnection& connection);

  // Serves connections to a listening socket of this worker's reactor, which is taken over.
  void listen(const Listener& listener, Serve serve, std::uint16_t port, Socket& socket,
              std::uint32_t connections_max);

  // Stops accepting, ends idle connections, and has the others end after their exchange. The first
  // call's.
  void drain() noexcept;
  // Ends all that is left.
  void abort_all() noexcept;
  bool is_draining() const noexcept { return draining_; }
  bool is_drained() const noexcept;

  // For listeners: a connection's task and object.
  void start_connection(WorkerListener& listener, Fd fd, const sockaddr_storage& peer) noexcept;
  void end_connection(ClientConnection& connection) noexcept;
  std::size_t connections_open() const noexcept { return connections_.live(); }

  // Counts and logs the end of an exchange or tunnel.
  void log_access(const Listener& listener, const stats::AccessRecord& record) noexcept;
  // RFC 9110 5.6.7; renewed once a second.
  std::string_view http_date() noexcept;

 private:
  // Ends idle connections a whole turn of the reactor later, in which what they have sent is seen.
  struct EndIdle : Deferred {
    explicit EndIdle(ProxyWorker& owner) noexcept;
    ProxyWorker& proxy;
    int turns_left = 2;
  };
  void end_idle() noexcept;

  Worker& worker_;
  std::shared_ptr<const Snapshot> snapshot_;
  stats::WorkerCells& cells_;
  LogRing& access_log_;
  std::vector<std::unique_ptr<backend::WorkerBackend>> backends_;
  std::vector<std::unique_ptr<WorkerListener>> listeners_;
  IntrusiveList<ClientConnection> open_;
  Slab<ClientConnection> connections_;
  Scope scope_;
  bool draining_ = false;
  EndIdle end_idle_;
  std::array<char, http::kDateBytes> date_;
  std::int64_t date_second_ = -1;
};

}  // namespace weir::proxy
