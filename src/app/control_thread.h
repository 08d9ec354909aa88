#pragma once
// ControlThread: serves the admin API, resolves host names, and watches the workers and the load of
// servers. Nothing on it takes longer than 5 ms; what does goes to the jobs thread.

#include <atomic>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "admin/admin_api.h"
#include "app/live_configuration.h"
#include "app/worker_thread.h"
#include "backend/load_watch.h"
#include "discovery/resolver.h"
#include "runtime/jobs.h"

namespace weir::app {

class ControlThread final : private admin::ProcessView, private discovery::NamesListener {
 public:
  // All must outlive it.
  ControlThread(std::unique_ptr<Worker> worker,
                std::span<const std::unique_ptr<WorkerThread>> workers,
                LiveConfiguration& configuration, const stats::Registry& registry);
  ControlThread(const ControlThread&) = delete;
  ~ControlThread() { stop(); }

  // Serves nothing yet. reactor: that all run on, for the metrics.
  void start(ReactorKind reactor);
  // Once, after the configuration serves. admin: a listening socket.
  void serve(Fd admin) noexcept;
  // Any thread.
  void set_ready() noexcept { state_.store(State::ready); }
  void begin_shutdown() noexcept { state_.store(State::stopping); }
  // Ends the admin API and the thread.
  void stop();

  // Of host names; it answers once the thread has started.
  discovery::Resolver& resolver() noexcept { return resolver_; }

 private:
  enum class State : std::uint8_t { starting, ready, stopping };
  struct Stop final : Message {
    explicit Stop(ControlThread& thread) noexcept : owner(thread) {}
    void deliver() noexcept override;
    ControlThread& owner;
  };

  struct Serve final : Message {
    explicit Serve(ControlThread& thread) noexcept : owner(thread) {}
    void deliver() noexcept override;
    ControlThread& owner;
    Fd admin;
  };

  bool is_ready() const override { return state_.load() == State::ready; }
  std::string not_ready_reason() const override;
  std::optional<std::string> stuck() const override;
  const stats::Registry& registry() const override { return registry_; }
  void append_samples(std::vector<stats::Sample>& samples) const override;

  void on_names_changed() noexcept override;

  void run();
  static Task<void> adopt_names(ControlThread& control);
  static Task<void> watch_workers(ControlThread& control);
  static Task<void> renew_ramps(ControlThread& control);
  static Task<void> watch_loads(ControlThread& control);
  void follow_loads();

  std::unique_ptr<Worker> worker_;
  std::span<const std::unique_ptr<WorkerThread>> workers_;
  LiveConfiguration& configuration_;
  const stats::Registry& registry_;
  ReactorKind reactor_ = ReactorKind::epoll;
  WallTime started_;
  std::atomic<State> state_ = State::starting;
  Jobs jobs_{"weir-jobs"};
  discovery::Resolver resolver_;
  admin::AdminApi api_;
  admin::HttpService service_;
  backend::LoadWatch loads_;
  std::weak_ptr<const proxy::Snapshot> loads_followed_;  // whose backends loads_ has
  Scope scope_;
  // The thread's own.
  bool stopping_ = false;
  bool names_changed_ = false;   // since the configuration heard of it
  bool adopting_names_ = false;  // adopt_names() runs
  Serve serve_;
  Stop stop_;
  std::thread thread_;
};

}  // namespace weir::app
