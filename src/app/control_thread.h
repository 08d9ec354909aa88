#pragma once
// ControlThread: serves the admin API and watches the workers. Nothing on it takes longer than 5
// ms; what does goes to the jobs thread.

#include <atomic>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "admin/admin_api.h"
#include "app/live_configuration.h"
#include "app/worker_thread.h"
#include "runtime/jobs.h"

namespace weir::app {

class ControlThread final : private admin::ProcessView {
 public:
  // All must outlive it.
  ControlThread(std::unique_ptr<Worker> worker,
                std::span<const std::unique_ptr<WorkerThread>> workers,
                LiveConfiguration& configuration, const stats::Registry& registry);
  ControlThread(const ControlThread&) = delete;
  ~ControlThread() { stop(); }

  // admin: a listening socket, or none. reactor: that all run on, for the metrics.
  void start(Fd admin, ReactorKind reactor);
  // Any thread.
  void set_ready() noexcept { state_.store(State::ready); }
  void begin_shutdown() noexcept { state_.store(State::stopping); }
  // Ends the admin API and the thread.
  void stop();

 private:
  enum class State : std::uint8_t { starting, ready, stopping };
  struct Stop final : Message {
    explicit Stop(ControlThread& thread) noexcept : owner(thread) {}
    void deliver() noexcept override;
    ControlThread& owner;
  };

  bool is_ready() const override { return state_.load() == State::ready; }
  std::string not_ready_reason() const override;
  std::optional<std::string> stuck() const override;
  const stats::Registry& registry() const override { return registry_; }
  void append_samples(std::vector<stats::Sample>& samples) const override;

  void run(Fd admin);
  static Task<void> watch_workers(ControlThread& control);

  std::unique_ptr<Worker> worker_;
  std::span<const std::unique_ptr<WorkerThread>> workers_;
  LiveConfiguration& configuration_;
  const stats::Registry& registry_;
  ReactorKind reactor_ = ReactorKind::epoll;
  WallTime started_;
  std::atomic<State> state_ = State::starting;
  Jobs jobs_{"weir-jobs"};
  admin::AdminApi api_;
  admin::HttpService service_;
  Scope scope_;
  bool stopping_ = false;  // the thread's own
  Stop stop_;
  std::thread thread_;
};

}  // namespace weir::app
