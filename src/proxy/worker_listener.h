#pragma once
// WorkerListener: accepts the connections of one listener on one worker. When descriptors or
// connections run out it stops accepting, so that clients wait in the kernel's queue, and starts
// again when there is room.

#include "proxy/proxy_worker.h"

namespace weir::proxy {

class WorkerListener {
 public:
  // The socket belongs to the worker's reactor and is taken over. port: that the socket has got.
  WorkerListener(ProxyWorker& worker, const Listener& listener, ProxyWorker::Serve serve,
                 std::uint16_t port, Socket& socket, std::uint32_t connections_max) noexcept;
  WorkerListener(const WorkerListener&) = delete;
  ~WorkerListener();

  const Listener& listener() const noexcept { return listener_; }
  stats::ListenerCells& cells() noexcept { return cells_; }
  ProxyWorker::Serve serve() const noexcept { return serve_; }
  std::uint16_t port() const noexcept { return port_; }

  void start() noexcept;
  // For good, once what is queued in the kernel has been accepted: a close would reset it.
  void stop() noexcept;
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
  struct Stop : Deferred {
    explicit Stop(WorkerListener& owner) noexcept;
    WorkerListener& listener;
  };
  void on_accepted(Fd connection, const sockaddr_storage& peer) noexcept;
  void on_accept_end(int os_error) noexcept;
  void pause() noexcept;
  void resume() noexcept;
  void stop_when_queue_is_empty() noexcept;
  void close() noexcept;

  ProxyWorker& worker_;
  const Listener& listener_;
  stats::ListenerCells& cells_;
  ProxyWorker::Serve serve_;
  std::uint16_t port_;
  Socket* socket_;
  std::uint32_t connections_max_;
  bool paused_ = false;
  Accept accept_;
  Retry retry_;
  Stop stop_;
  bool stopping_ = false;
  bool accepted_this_turn_ = false;
};

}  // namespace weir::proxy
