#pragma once
// WorkerThread: a thread that runs one worker's share of the traffic. Made, told and joined by
// other threads.

#include <atomic>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "backend/http1_server_connection.h"
#include "base/fd.h"
#include "proxy/proxy_worker.h"

namespace weir::app {

// A listening socket of one worker, which has to take it over.
struct NewSocket {
  proxy::SocketsId sockets;
  std::uint16_t port;
  Fd fd;
};

class WorkerThread {
 public:
  // shared and access_log must outlive it. connections_max: client connections at a time.
  WorkerThread(std::unique_ptr<Worker> worker, proxy::ProxyShared& shared, LogRing& access_log,
               std::uint32_t connections_max);
  WorkerThread(const WorkerThread&) = delete;
  ~WorkerThread();

  void start();

  // Each may be called once; any thread.
  void drain() noexcept { worker_->post(drain_); }
  void abort_all() noexcept { worker_->post(abort_); }
  // After drain(), when the last connection has ended. Any thread.
  bool is_over() const noexcept { return over_.load(std::memory_order_acquire); }

  std::uint32_t index() const noexcept { return worker_->index(); }
  // Any thread.
  std::uint32_t connections_open() const noexcept { return shared_.loads.connections(index()); }
  // Asks for a sign of life; at most one request is on its way. The control thread.
  void ping(TimePoint now) noexcept;
  // The worker has not answered for 5 s. Any thread.
  bool is_stuck() const noexcept;

  // What follows: the worker's thread.
  proxy::ProxyWorker& proxy() noexcept { return *proxy_; }
  // Gives back what was in force.
  std::shared_ptr<const proxy::Snapshot> install(std::shared_ptr<const proxy::Snapshot> snapshot,
                                                 std::vector<NewSocket> sockets);

 private:
  friend class WorkerCall;
  // A message that calls one function of the worker's proxy.
  struct Order final : Message {
    Order(WorkerThread& thread, void (proxy::ProxyWorker::*function)() noexcept) noexcept
        : owner(thread), call(function) {}
    void deliver() noexcept override { (owner.proxy_.get()->*call)(); }
    WorkerThread& owner;
    void (proxy::ProxyWorker::*call)() noexcept;
  };
  struct Ping final : Message {
    explicit Ping(WorkerThread& thread) noexcept : owner(thread) {}
    void deliver() noexcept override;
    WorkerThread& owner;
  };

  void run();
  void count_loop() noexcept;

  std::unique_ptr<Worker> worker_;
  proxy::ProxyShared& shared_;
  backend::Http1ServerConnections server_connections_;
  std::unique_ptr<proxy::ProxyWorker> proxy_;
  Order drain_;
  Order abort_;
  Ping ping_;
  std::atomic<bool> ping_pending_ = false;
  std::atomic<TimePoint> pinged_at_{};
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

// Something that every worker has to do.
class WorkerOrder {
 public:
  // Each worker's thread. What is given back is destroyed off the workers.
  virtual std::shared_ptr<const void> run(WorkerThread& worker) noexcept = 0;

 protected:
  ~WorkerOrder() = default;
};

// Has every worker that has not ended carry out the order, and waits until all have. The longest
// that it took one of them. Neither a worker's nor the control thread.
Duration run_on_every_worker(std::span<const std::unique_ptr<WorkerThread>> workers,
                             WorkerOrder& order);

}  // namespace weir::app
