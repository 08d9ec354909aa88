#pragma once
// WorkerThread: a thread that runs one worker's share of the traffic. Made, told and joined by the
// main thread.

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "net/listening_socket.h"
#include "proxy/proxy_worker.h"

namespace weir::app {

// One listening socket of this worker.
struct WorkerSocket {
  const proxy::Listener* listener;
  std::uint16_t port;
  Fd socket;
};

struct WorkerShare {
  std::uint32_t workers;  // of the process
  std::uint32_t connections_max;
  std::shared_ptr<const proxy::Snapshot> snapshot;
  stats::Registry* registry;
  LogRing* access_log;
  std::vector<WorkerSocket> sockets;
};

class WorkerThread {
 public:
  WorkerThread(std::unique_ptr<Worker> worker, WorkerShare share);
  WorkerThread(const WorkerThread&) = delete;
  ~WorkerThread();

  // Counts `listening` down once every listener accepts.
  void start(std::latch& listening);

  // Each may be called once; any thread.
  void drain() noexcept { worker_->post(drain_); }
  void abort_all() noexcept { worker_->post(abort_); }
  // After drain(), when the last connection has ended. Any thread.
  bool is_over() const noexcept { return over_.load(std::memory_order_acquire); }

  std::uint32_t index() const noexcept { return worker_->index(); }
  // Asks for a sign of life; at most one request is on its way. The control thread.
  void ping(TimePoint now) noexcept;
  // The worker has not answered for 5 s. The control thread.
  bool is_stuck(TimePoint now) const noexcept;

 private:
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

  void run(std::latch& listening);
  void count_loop() noexcept;

  std::unique_ptr<Worker> worker_;
  WorkerShare share_;
  std::unique_ptr<proxy::ProxyWorker> proxy_;  // on the thread only
  Order drain_;
  Order abort_;
  Ping ping_;
  std::atomic<bool> ping_pending_ = false;
  TimePoint pinged_at_{};
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace weir::app
