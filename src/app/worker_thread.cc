#include "app/worker_thread.h"

#include <chrono>
#include <ctime>
#include <deque>
#include <pthread.h>
#include <semaphore>
#include <string>

#include "proxy/http/exchange.h"
#include "proxy/tcp/serve_tcp_connection.h"

namespace weir::app {
namespace {

proxy::Serve serve_of(const proxy::Listener& listener) {
  switch (listener.protocol) {
    case proxy::Protocol::http:
      return &proxy::serve_http_connection;
    case proxy::Protocol::tcp:
      return &proxy::serve_tcp_connection;
  }
  return nullptr;
}

}  // namespace

// One worker's part of run_on_every_worker.
class WorkerCall final : public Message {
 public:
  WorkerCall(WorkerThread& worker, WorkerOrder& order) noexcept : worker_(worker), order_(order) {}

  void post() noexcept { worker_.worker_->post(*this); }
  // Whether the call has been made; waits for at most 20 ms.
  bool await() noexcept { return made_.try_acquire_for(std::chrono::milliseconds(20)); }
  const WorkerThread& worker() const noexcept { return worker_; }
  Duration duration() const noexcept { return duration_; }

 private:
  void deliver() noexcept override {
    const auto began = std::chrono::steady_clock::now();
    left_over_ = order_.run(worker_);
    duration_ = std::chrono::steady_clock::now() - began;
    made_.release();
  }

  WorkerThread& worker_;
  WorkerOrder& order_;
  std::shared_ptr<const void> left_over_;
  Duration duration_{};
  std::binary_semaphore made_{0};
};

Duration run_on_every_worker(std::span<const std::unique_ptr<WorkerThread>> workers,
                             WorkerOrder& order) {
  std::deque<WorkerCall> calls;
  for (const auto& worker : workers) calls.emplace_back(*worker, order).post();
  Duration longest{};
  for (WorkerCall& call : calls) {
    while (!call.await() && !call.worker().is_over()) {
    }
    longest = std::max(longest, call.duration());
  }
  return longest;
}

WorkerThread::WorkerThread(std::unique_ptr<Worker> worker, proxy::ProxyShared& shared,
                           LogRing& access_log, std::uint32_t connections_max)
    : worker_(std::move(worker)),
      shared_(shared),
      proxy_(std::make_unique<proxy::ProxyWorker>(*worker_, shared, access_log,
                                                  proxy::Protocols{&serve_of, server_connections_},
                                                  connections_max)),
      drain_(*this, &proxy::ProxyWorker::drain),
      abort_(*this, &proxy::ProxyWorker::abort_all),
      ping_(*this) {}

WorkerThread::~WorkerThread() {
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::start() {
  thread_ = std::thread([this] { run(); });
}

std::shared_ptr<const proxy::Snapshot> WorkerThread::install(
    std::shared_ptr<const proxy::Snapshot> snapshot, std::vector<NewSocket> sockets) {
  std::vector<proxy::WorkerSocket> adopted;
  for (NewSocket& socket : sockets) {
    adopted.push_back({.sockets = socket.sockets,
                       .port = socket.port,
                       .socket = &worker_->reactor().adopt(std::move(socket.fd))});
  }
  return proxy_->install(std::move(snapshot), adopted);
}

void WorkerThread::run() {
  const std::string name = "weir-worker-" + std::to_string(worker_->index());
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
  while (!proxy_->is_drained()) worker_->turn();
  count_loop();
  proxy_.reset();
  over_.store(true, std::memory_order_release);
}

void WorkerThread::ping(TimePoint now) noexcept {
  if (is_over() || ping_pending_.exchange(true, std::memory_order_acq_rel)) return;
  pinged_at_.store(now, std::memory_order_relaxed);
  worker_->post(ping_);
}

bool WorkerThread::is_stuck() const noexcept {
  constexpr Duration kPatience = std::chrono::seconds(5);
  return ping_pending_.load(std::memory_order_acquire) && !is_over() &&
         std::chrono::steady_clock::now() - pinged_at_.load(std::memory_order_relaxed) > kPatience;
}

void WorkerThread::Ping::deliver() noexcept {
  owner.count_loop();
  owner.ping_pending_.store(false, std::memory_order_release);
}

void WorkerThread::count_loop() noexcept {
  stats::WorkerCells& cells = proxy_->cells();
  timespec busy{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &busy);
  cells.busy_ns.set(static_cast<std::uint64_t>(busy.tv_sec) * 1'000'000'000 +
                    static_cast<std::uint64_t>(busy.tv_nsec));
  cells.loop_iterations.set(worker_->turns());
  cells.timers_fired.set(worker_->timers().fired_count());
  cells.connections_open.set(connections_open());
  cells.buffers_in_use.set(worker_->buffers().bytes_in_use());
  cells.pipes_in_use.set(worker_->pipes().in_use());
  cells.pipes_exhausted.set(worker_->pipes().exhausted_count());
  cells.ring_buffers_exhausted.set(worker_->reactor().ring_buffers_exhausted());
}

}  // namespace weir::app
