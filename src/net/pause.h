#pragma once
// Pause: lets time pass in a piece of work that a CancelSlot may end.

#include <coroutine>

#include "net/cancel_slot.h"
#include "runtime/worker.h"

namespace weir::net {

// Awaited in the expression that makes it, while the slot holds nothing else:
// co_await Pause(worker, slot, until). The slot's reason as soon as it is cancelled, at once if it
// has been already. The worker's thread.
class Pause final : private Timer, private Abortable {
 public:
  Pause(Worker& worker, CancelSlot& slot, TimePoint until) noexcept
      : Timer([](Timer& self) noexcept { static_cast<Pause&>(self).task_.resume(); }),
        worker_(worker),
        slot_(slot),
        until_(until) {}

  bool await_ready() const noexcept { return slot_.is_canceled(); }
  void await_suspend(std::coroutine_handle<> task) noexcept {
    task_ = task;
    arm(worker_.timers(), until_);
    slot_.hold(*this);
  }
  Result<void> await_resume() noexcept {
    slot_.let_go();
    if (slot_.is_canceled()) return fail(slot_.reason());
    return {};
  }

 private:
  // Whoever cancels does not expect the task to run on within the call: its timer does it.
  void abort(Error) noexcept override { arm(worker_.timers(), worker_.now()); }

  Worker& worker_;
  CancelSlot& slot_;
  TimePoint until_;
  std::coroutine_handle<> task_;
};

}  // namespace weir::net
