#pragma once
// WorkerListener: accepts the connections of one listening socket on one worker. When descriptors
// or connections run out it stops accepting, so that clients wait in the kernel's queue, and starts
// again when there is room. A reload changes what it serves; its connections keep it alive.

#include "proxy/filter_use.h"
#include "proxy/proxy_worker.h"
#include "proxy/worker_split.h"

namespace weir::proxy {

// What an exchange or tunnel holds of its listener.
struct ListenerUse : LocalCounted {
  ListenerUse(std::shared_ptr<const Listener> used, std::uint16_t listening_port,
              std::uint32_t worker) noexcept
      : listener(std::move(used)), port(listening_port), cells(listener->stats->of(worker)) {}
  std::shared_ptr<const Listener> listener;
  std::uint16_t port;  // that the socket has got; 0 for a unix socket
  stats::ListenerCells& cells;
};

class WorkerListener : public LocalCounted {
 public:
  // The socket belongs to the worker's reactor and is taken over. port: that the socket has got.
  WorkerListener(ProxyWorker& worker, SocketsId sockets, std::uint16_t port,
                 Socket& socket) noexcept;
  ~WorkerListener();

  // What is served now; the next exchange may find another one.
  const LocalRef<ListenerUse>& use() const noexcept { return use_; }
  const Listener& listener() const noexcept { return *use_->listener; }
  const Router& router() const noexcept { return *router_; }
  // Null: the route has a split, or one of its filters replies to all.
  const LocalRef<backend::WorkerBackend>& backend_of(RouteIndex route) const noexcept {
    return route_backends_[static_cast<std::size_t>(route)];
  }
  // Null: there are none.
  const LocalRef<FilterUse>& filters_of(RouteIndex route) const noexcept {
    return route_filters_[static_cast<std::size_t>(route)];
  }
  // nullptr: there is none. For now: it may be another one after a wait.
  const WorkerSplit* find_split(RouteIndex route) const noexcept;
  const RouteTimeouts& timeouts_of(RouteIndex route) const noexcept {
    return route_timeouts_[static_cast<std::size_t>(route)];
  }
  SocketsId sockets() const noexcept { return sockets_; }
  std::uint16_t port() const noexcept { return port_; }

  // Of a new snapshot, whose backends the worker has taken over. Before start() for the first time.
  void serve(const ServedListener& served);
  void start() noexcept;
  // For good, once what is queued in the kernel has been accepted: a close would reset it.
  void stop() noexcept;
  // At once; who is queued in the kernel is reset.
  void abort() noexcept;
  bool is_stopping() const noexcept { return stopping_; }
  bool is_stopped() const noexcept { return socket_ == nullptr; }
  // A connection of the worker has ended: there may be room again.
  void on_room() noexcept {
    if (paused_) resume();
  }

 private:
  struct Accept : AcceptOperation {
    explicit Accept(WorkerListener& owner) noexcept;
    WorkerListener& listener;
  };
  struct Retry : Timer {
    explicit Retry(WorkerListener& owner) noexcept;
    WorkerListener& listener;
  };
  struct HandshakesOver : Timer {
    explicit HandshakesOver(WorkerListener& owner) noexcept;
    WorkerListener& listener;
  };
  struct Stop : Deferred {
    explicit Stop(WorkerListener& owner) noexcept;
    WorkerListener& listener;
  };
  WorkerSplit view_of(const std::shared_ptr<const Split>& split) const;
  bool has_room() const noexcept;
  void end_pause() noexcept;
  void on_accepted(Fd connection, const sockaddr_storage& peer) noexcept;
  void on_accept_end(int os_error) noexcept;
  void pause(Duration rest) noexcept;
  void resume() noexcept;
  void stop_soon() noexcept;
  void stop_when_queue_is_empty() noexcept;
  void close() noexcept;

  ProxyWorker& worker_;
  LocalRef<ListenerUse> use_;
  std::shared_ptr<const Router> router_;
  std::vector<LocalRef<backend::WorkerBackend>> route_backends_;  // by RouteIndex
  std::vector<LocalRef<FilterUse>> route_filters_;                // likewise
  std::vector<RouteTimeouts> route_timeouts_;                     // likewise
  std::vector<WorkerSplit> splits_;                               // in the order of their routes
  SocketsId sockets_;
  std::uint16_t port_;
  Socket* socket_;
  bool paused_ = false;
  Accept accept_;
  Retry retry_;
  HandshakesOver handshakes_over_;
  Stop stop_;
  bool stopping_ = false;
  bool accepted_this_turn_ = false;
};

}  // namespace weir::proxy
