#pragma once
// Sleep: lets time pass in a task, until its scope is asked to stop.

#include <coroutine>

#include "runtime/scope.h"
#include "runtime/worker.h"

namespace weir {

enum class Slept : std::uint8_t { whole, stopped };

// Awaited in the expression that makes it: co_await Sleep(worker, scope, 1s). Gives `stopped` as
// soon as the scope stops, at once if it has already. The worker's thread.
class Sleep final : private Timer, private StopListener {
 public:
  Sleep(Worker& worker, Scope& scope, TimePoint until) noexcept
      : Timer(&on_time), worker_(worker), scope_(scope), until_(until) {}
  Sleep(Worker& worker, Scope& scope, Duration duration) noexcept
      : Sleep(worker, scope, worker.now() + duration) {}

  bool await_ready() noexcept {
    if (scope_.is_stopping()) slept_ = Slept::stopped;
    return scope_.is_stopping();
  }
  void await_suspend(std::coroutine_handle<> task) noexcept {
    task_ = task;
    scope_.listen(*this);
    arm(worker_.timers(), until_);
  }
  Slept await_resume() const noexcept { return slept_; }

 private:
  static void on_time(Timer& timer) noexcept { static_cast<Sleep&>(timer).task_.resume(); }
  // The frame that holds this may be gone when resume() returns.
  void on_stop() noexcept override {
    slept_ = Slept::stopped;
    task_.resume();
  }

  Worker& worker_;
  Scope& scope_;
  TimePoint until_;
  Slept slept_ = Slept::whole;
  std::coroutine_handle<> task_;
};

}  // namespace weir
