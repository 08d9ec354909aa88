#include "app/control_thread.h"

#include <pthread.h>

#include "runtime/sleep.h"
#include "stats/process.h"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPingInterval = 500ms;

}  // namespace

ControlThread::ControlThread(std::unique_ptr<Worker> worker,
                             std::span<const std::unique_ptr<WorkerThread>> workers,
                             LiveConfiguration& configuration, const stats::Registry& registry)
    : worker_(std::move(worker)),
      workers_(workers),
      configuration_(configuration),
      registry_(registry),
      started_(std::chrono::system_clock::now()),
      api_(*worker_, jobs_, *this, configuration),
      service_(*worker_, api_),
      stop_(*this) {}

void ControlThread::start(Fd admin, ReactorKind reactor) {
  reactor_ = reactor;
  thread_ = std::thread([this, admin = std::move(admin)]() mutable { run(std::move(admin)); });
}

void ControlThread::stop() {
  if (!thread_.joinable()) return;
  worker_->post(stop_);
  thread_.join();
}

void ControlThread::Stop::deliver() noexcept {
  owner.stopping_ = true;
  owner.scope_.request_stop();
  owner.service_.abort();
}

void ControlThread::run(Fd admin) {
  ::pthread_setname_np(::pthread_self(), "weir-control");
  if (admin.is_open()) service_.listen(worker_->reactor().adopt(std::move(admin)));
  scope_.spawn(&watch_workers, std::ref(*this));
  while (!stopping_ || !service_.is_stopped() || scope_.running() != 0) worker_->turn();
}

// An idle worker does not turn its loop, so each is asked for a sign of life.
Task<void> ControlThread::watch_workers(ControlThread& control) {
  do {
    for (const auto& worker : control.workers_) worker->ping(control.worker_->now());
  } while (co_await Sleep(*control.worker_, control.scope_, kPingInterval) == Slept::whole);
}

std::string ControlThread::not_ready_reason() const {
  return state_.load() == State::stopping ? "stopping" : "starting";
}

std::optional<std::string> ControlThread::stuck() const {
  for (const auto& worker : workers_) {
    if (worker->is_stuck()) {
      return "worker " + std::to_string(worker->index()) + " does not turn its loop";
    }
  }
  return std::nullopt;
}

void ControlThread::append_samples(std::vector<stats::Sample>& samples) const {
  const stats::ProcessFacts facts{.version = WEIR_VERSION,
                                  .started = started_,
                                  .workers = workers_.size(),
                                  .reactor = name_of(reactor_)};
  stats::append_process_samples(facts, std::chrono::system_clock::now(), samples);
  configuration_.append_samples(samples);
}

}  // namespace weir::app
