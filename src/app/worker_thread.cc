#include "app/worker_thread.h"

#include <ctime>
#include <pthread.h>
#include <string>

#include "proxy/http/exchange.h"
#include "proxy/tcp/serve_tcp_connection.h"

namespace weir::app {
namespace {

proxy::ProxyWorker::Serve serve_of(proxy::Protocol protocol) noexcept {
  switch (protocol) {
    case proxy::Protocol::http:
      return &proxy::serve_http_connection;
    case proxy::Protocol::tcp:
      return &proxy::serve_tcp_connection;
  }
  return nullptr;
}

}  // namespace

WorkerThread::WorkerThread(std::unique_ptr<Worker> worker, WorkerShare share)
    : worker_(std::move(worker)),
      share_(std::move(share)),
      drain_(*this, &proxy::ProxyWorker::drain),
      abort_(*this, &proxy::ProxyWorker::abort_all),
      ping_(*this) {}

WorkerThread::~WorkerThread() {
  if (thread_.joinable()) thread_.join();
}

void WorkerThread::start(std::latch& listening) {
  thread_ = std::thread([this, &listening] { run(listening); });
}

void WorkerThread::run(std::latch& listening) {
  const std::string name = "weir-worker-" + std::to_string(worker_->index());
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
  proxy_ = std::make_unique<proxy::ProxyWorker>(*worker_, share_.workers, share_.snapshot,
                                                *share_.registry, *share_.access_log);
  for (WorkerSocket& socket : share_.sockets) {
    proxy_->listen(*socket.listener, serve_of(socket.listener->protocol), socket.port,
                   worker_->reactor().adopt(std::move(socket.socket)), share_.connections_max);
  }
  listening.count_down();
  while (!proxy_->is_drained()) worker_->turn();
  count_loop();
  proxy_.reset();
  over_.store(true, std::memory_order_release);
}

void WorkerThread::ping(TimePoint now) noexcept {
  if (is_over() || ping_pending_.exchange(true, std::memory_order_acq_rel)) return;
  pinged_at_ = now;
  worker_->post(ping_);
}

bool WorkerThread::is_stuck(TimePoint now) const noexcept {
  constexpr Duration kPatience = std::chrono::seconds(5);
  return ping_pending_.load(std::memory_order_acquire) && !is_over() &&
         now - pinged_at_ > kPatience;
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
  cells.buffers_in_use.set(worker_->buffers().bytes_in_use());
}

}  // namespace weir::app
