#include "app/control_thread.h"

#include <fmt/format.h>
#include <pthread.h>

#include "runtime/sleep.h"
#include "stats/process.h"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPingInterval = 500ms;
// How often the shares of servers that start slowly are made anew.
constexpr Duration kRampInterval = 250ms;
constexpr Duration kLoadInterval = 1s;
// Until the jobs thread, whose queue is full, is asked again.
constexpr Duration kJobsPause = 100ms;

}  // namespace

ControlThread::ControlThread(std::unique_ptr<Worker> worker,
                             std::span<const std::unique_ptr<WorkerThread>> workers,
                             LiveConfiguration& configuration, const stats::Registry& registry)
    : worker_(std::move(worker)),
      workers_(workers),
      configuration_(configuration),
      registry_(registry),
      started_(std::chrono::system_clock::now()),
      resolver_(*worker_, *this),
      api_(*worker_, jobs_, *this, configuration),
      service_(*worker_, api_),
      loads_(*worker_),
      serve_(*this),
      stop_(*this) {}

void ControlThread::start(ReactorKind reactor) {
  reactor_ = reactor;
  thread_ = std::thread([this] { run(); });
}

void ControlThread::serve(Fd admin) noexcept {
  serve_.admin = std::move(admin);
  worker_->post(serve_);
}

void ControlThread::Serve::deliver() noexcept {
  owner.service_.listen(owner.worker_->reactor().adopt(std::move(admin)));
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
  owner.resolver_.stop();
  owner.loads_.stop();
}

void ControlThread::run() {
  ::pthread_setname_np(::pthread_self(), "weir-control");
  scope_.spawn(&watch_workers, std::ref(*this));
  scope_.spawn(&renew_ramps, std::ref(*this));
  scope_.spawn(&watch_loads, std::ref(*this));
  const auto is_over = [this] {
    return stopping_ && service_.is_stopped() && loads_.is_stopped() && scope_.running() == 0;
  };
  while (!is_over()) worker_->turn();
}

// An idle worker does not turn its loop, so each is asked for a sign of life.
Task<void> ControlThread::watch_workers(ControlThread& control) {
  do {
    for (const auto& worker : control.workers_) worker->ping(control.worker_->now());
  } while (co_await Sleep(*control.worker_, control.scope_, kPingInterval) == Slept::whole);
}

Task<void> ControlThread::watch_loads(ControlThread& control) {
  do {
    control.follow_loads();
    co_await control.loads_.measure();
  } while (co_await Sleep(*control.worker_, control.scope_, kLoadInterval) == Slept::whole);
}

void ControlThread::follow_loads() {
  const auto snapshot = configuration_.snapshot();
  if (loads_followed_.lock() == snapshot) return;
  loads_followed_ = snapshot;
  loads_.follow(snapshot->backends);
}

void ControlThread::on_names_changed() noexcept {
  names_changed_ = true;
  if (!adopting_names_ && !stopping_) scope_.spawn(&adopt_names, std::ref(*this));
}

// The workers are waited for, which is the jobs thread's affair.
class AdoptNames final : public AwaitedJob {
 public:
  explicit AdoptNames(LiveConfiguration& configuration) noexcept : configuration_(configuration) {}

 private:
  void run() noexcept override {
    for (const std::string& line : configuration_.adopt_names()) fmt::print(stderr, "{}\n", line);
  }

  LiveConfiguration& configuration_;
};

Task<void> ControlThread::adopt_names(ControlThread& control) {
  control.adopting_names_ = true;
  while (control.names_changed_) {
    control.names_changed_ = false;
    AdoptNames job(control.configuration_);
    const auto done = co_await control.jobs_.run(*control.worker_, job);
    if (done) continue;
    control.names_changed_ = true;
    const Slept slept = co_await Sleep(*control.worker_, control.scope_, kJobsPause);
    if (slept == Slept::stopped) break;
  }
  control.adopting_names_ = false;
}

class RenewRamps final : public AwaitedJob {
 public:
  explicit RenewRamps(LiveConfiguration& configuration) noexcept : configuration_(configuration) {}

 private:
  void run() noexcept override { configuration_.renew_ramps(); }

  LiveConfiguration& configuration_;
};

Task<void> ControlThread::renew_ramps(ControlThread& control) {
  while (co_await Sleep(*control.worker_, control.scope_, kRampInterval) == Slept::whole) {
    if (!control.configuration_.is_some_ramping()) continue;
    RenewRamps job(control.configuration_);
    // Without room in the queue it is done a little later.
    static_cast<void>(co_await control.jobs_.run(*control.worker_, job));
  }
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
  for (const auto& backend : configuration_.snapshot()->backends) {
    if (!backend->settings().load_report) continue;
    for (const auto& server : backend->servers()) {
      samples.push_back({stats::MetricId::server_load_report_failures,
                         stats::server_labels(backend->name(), server->name()),
                         static_cast<double>(server->load_report_failures().read())});
    }
  }
}

}  // namespace weir::app
