#pragma once
// ProxyWorker: all that one worker needs to carry traffic: the snapshot in force, its view of each
// backend, the listeners and connections it owns, its counters and its log. Lives on the worker's
// thread.

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "backend/worker_backend.h"
#include "base/log_ring.h"
#include "base/slab.h"
#include "net/cancel_slot.h"
#include "protocol/http/date.h"
#include "proxy/body_file.h"
#include "proxy/snapshot.h"
#include "proxy/worker_loads.h"
#include "runtime/scope.h"
#include "runtime/worker.h"
#include "stats/access_log.h"

namespace weir::proxy {

struct AnnouncedConnection;
class ProxyWorker;
class WorkerListener;
struct ListenerUse;

// One client connection; a task serves it.
class ClientConnection : public Link {
 public:
  ClientConnection(ProxyWorker& worker, WorkerListener& listener, Socket& socket,
                   const net::PeerAddress& peer) noexcept;
  ~ClientConnection();

  // idle: between two requests. A drain ends the connection then.
  enum class Phase : std::uint8_t { idle, busy };

  ProxyWorker& worker;
  LocalRef<WorkerListener> listener;  // a tunnel lets it go
  LocalRef<ListenerUse> accepted_by;
  SharedCounts::Hold counted;  // for its client, by what accepted_by has
  net::PeerAddress
      peer;  // the client; behind a header of the PROXY protocol, the one that it names
  std::unique_ptr<AnnouncedConnection> announced;  // what that header said; null: there was none
  net::SocketStream stream;
  net::CancelSlot server_side;
  TimePoint accepted_at;
  Phase phase = Phase::busy;

  // Whether the exchange under way is to be the last one: the worker drains, or the listener goes
  // or has changed its protocol.
  bool is_ending() const noexcept;
  // Ends the connection wherever it is.
  void abort(Error reason) noexcept;
};

// The task that serves one connection, by the listener's protocol. It ends with end_connection().
using Serve = Task<void> (*)(ClientConnection& connection);
using ServeOf = Serve (*)(const Listener& listener);

// What a worker speaks with clients, and with servers.
struct Protocols {
  ServeOf serve_of;
  backend::ServerConnections& server_connections;
};

// One listening socket of a worker, in its reactor.
struct WorkerSocket {
  SocketsId sockets;
  std::uint16_t port;
  Socket* socket;
};

// What all workers of the process share. Outlives them.
struct ProxyShared {
  ProxyShared(stats::Registry& of_process, JobQueue& of_files)
      : registry(of_process),
        file_jobs(of_files),
        loads(of_process.workers()),
        proxies(of_process.workers()) {}
  stats::Registry& registry;
  JobQueue& file_jobs;  // reads and writes of bodies
  WorkerLoads loads;
  std::vector<ProxyWorker*> proxies;  // by worker; set before any of them accepts
};

class ProxyWorker {
 public:
  // connections_max: client connections at a time.
  ProxyWorker(Worker& worker, ProxyShared& shared, LogRing& access_log, const Protocols& protocols,
              std::uint32_t connections_max);
  ProxyWorker(const ProxyWorker&) = delete;
  ~ProxyWorker();

  Worker& worker() noexcept { return worker_; }
  stats::WorkerCells& cells() noexcept { return cells_; }
  BodyFiles& body_files() noexcept { return body_files_; }
  const Snapshot& snapshot() const noexcept { return *snapshot_; }
  const LocalRef<backend::WorkerBackend>& backend(BackendIndex index) const noexcept {
    return backends_[static_cast<std::size_t>(index)];
  }

  // Puts a snapshot into force, and gives back the one before for somebody else to destroy.
  // Sockets: those of listeners that are new; listeners whose sockets the snapshot does not name
  // are stopped. Not after drain().
  std::shared_ptr<const Snapshot> install(std::shared_ptr<const Snapshot> snapshot,
                                          std::span<const WorkerSocket> sockets);

  // Stops accepting, ends idle connections, and has the others end after their exchange. The first
  // call's.
  void drain() noexcept;
  // Ends all that is left.
  void abort_all() noexcept;
  bool is_draining() const noexcept { return draining_; }
  // Whether nothing is left to wait for; called after each turn, it ends what is at rest meanwhile.
  bool is_drained() noexcept;

  // For listeners: serves a connection here, or has the least loaded worker serve it.
  void place_connection(WorkerListener& listener, Fd fd, const sockaddr_storage& peer) noexcept;
  bool has_room() const noexcept {
    if (connections_open() >= connections_max_) return false;
    return snapshot_->maxconn == 0 || shared_.loads.total() < snapshot_->maxconn;
  }
  std::size_t connections_open() const noexcept { return connections_.live(); }

  // For listeners: one more, or one less, waits for room.
  void count_paused(int change) noexcept { listeners_paused_ += change; }

  // For a connection's task, at its end.
  void end_connection(ClientConnection& connection) noexcept;
  // Logs the end of an exchange or tunnel. The listener has an access log; its lines are for the
  // log thread to lay out, or (log_line) it has its own.
  void log_access(const Listener& listener, const stats::AccessRecord& record) noexcept;
  void log_line(const ValueSource& source) noexcept;
  // RFC 9110 5.6.7; renewed once a second.
  std::string_view http_date() noexcept;
  // As the combined log has it: 21/Nov/2026:12:48:40 +0000; renewed once a second.
  std::string_view local_time() noexcept;

 private:
  // Ends idle connections a whole turn of the reactor later, in which what they have sent is seen.
  struct EndIdle : Deferred {
    explicit EndIdle(ProxyWorker& owner) noexcept;
    ProxyWorker& proxy;
    int turns_left = 0;
  };
  class PassedConnection;
  std::span<char> reserve_log_record(const Listener& listener, std::size_t bytes) noexcept;
  void take_over_backends(const Snapshot& next);
  void take_over_listeners(std::span<const WorkerSocket> sockets);
  void start_connection(WorkerListener& listener, Fd fd, const net::PeerAddress& peer) noexcept;
  WorkerListener* find_listener(SocketsId sockets) noexcept;
  void end_idle_soon() noexcept;
  void end_idle() noexcept;

  Worker& worker_;
  ProxyShared& shared_;
  stats::WorkerCells& cells_;
  BodyFiles body_files_;
  LogRing& access_log_;
  Protocols protocols_;
  std::uint32_t connections_max_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<LocalRef<backend::WorkerBackend>> backends_;  // by BackendIndex
  std::vector<LocalRef<WorkerListener>> listeners_;
  IntrusiveList<ClientConnection> open_;
  Slab<ClientConnection> connections_;
  Scope scope_;
  int listeners_paused_ = 0;
  bool draining_ = false;
  bool aborted_ = false;
  EndIdle end_idle_;
  std::array<char, http::kDateBytes> date_;
  std::int64_t date_second_ = -1;
  std::array<char, 32> local_time_;
  std::size_t local_time_bytes_ = 0;
  std::int64_t local_second_ = -1;
};

}  // namespace weir::proxy
