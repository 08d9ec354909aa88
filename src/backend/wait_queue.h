#pragma once
// WaitQueue: requests that wait for a slot, because every server that could serve them is full;
// first come, first served over all workers, within one turn of their mailboxes.
//
// Each worker keeps its own waiters and publishes the ticket of its oldest. Whoever frees a slot
// wakes the worker with the oldest ticket of all, which takes slots for its waiters while theirs is
// the turn, and then wakes the next. No wake-up is lost, because everyone makes its own change
// first and looks for those of the others after it: a release gives its slot back, a newcomer
// publishes its ticket, one that leaves takes its ticket back. All of it is sequentially
// consistent.
//
// Any slot must suit any waiter: while the oldest finds none, nobody behind it is served.

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/intrusive_list.h"
#include "base/local_ref.h"
#include "net/cancel_slot.h"
#include "runtime/worker.h"

namespace weir::backend {

class QueueWait;
class WorkerWaitQueue;

// What the workers share. Outlives their parts; no worker is destroyed while another may still call
// on_slot_free().
class WaitQueue {
 public:
  explicit WaitQueue(std::uint32_t workers) : parts_(workers) {}
  WaitQueue(const WaitQueue&) = delete;

  // Over all workers; any thread. Unless 0, a newcomer has to wait as well, or it would overtake.
  std::uint32_t waiting() const noexcept { return waiting_.load(std::memory_order_seq_cst); }

  // A slot was given back, or the servers or their limits have changed. Any thread; on a worker,
  // WorkerWaitQueue::on_slot_free() is quicker.
  void on_slot_free() noexcept {
    if (waiting() != 0) wake_oldest();
  }

 private:
  friend class WorkerWaitQueue;
  static constexpr std::uint64_t kNobody = UINT64_MAX;

  class Wake;
  // Each on a line of its own: it is written by one worker and read by all.
  struct alignas(64) Part {
    std::atomic<std::uint64_t> oldest{kNobody};  // the smallest ticket that waits here
    std::atomic<Wake*> wake{nullptr};  // belongs to who takes it out; null while it is under way
  };

  Part* find_oldest() noexcept;
  void wake_oldest() noexcept;

  std::vector<Part> parts_;  // by worker
  alignas(64) std::atomic<std::uint32_t> waiting_{0};
  std::atomic<std::uint64_t> next_ticket_{0};
};

// One worker's waiters; one for each worker and queue at a time. The worker's thread only.
class WorkerWaitQueue : public LocalCounted {
 public:
  // May allocate.
  WorkerWaitQueue(WaitQueue& shared, Worker& worker);
  // Nobody waits here. A wake-up that is still under way finds its end by itself.
  ~WorkerWaitQueue();

  WaitQueue& shared() noexcept { return shared_; }

  // As WaitQueue's. May call QueueWait::try_take(), but resumes nobody before the end of the turn.
  void on_slot_free() noexcept {
    if (shared_.waiting() != 0) serve();
  }

 private:
  friend class QueueWait;
  friend class WaitQueue::Wake;

  bool take_place(std::uint32_t length_max) noexcept;
  void enter(QueueWait& wait) noexcept;
  void leave(QueueWait& wait) noexcept;
  void publish_oldest() noexcept;
  void on_wake() noexcept;
  void serve() noexcept;

  WaitQueue& shared_;
  Worker& worker_;
  WaitQueue::Part& part_;
  std::unique_ptr<WaitQueue::Wake> wake_;
  IntrusiveList<Deferred> waiters_;  // QueueWaits, the oldest in front
};

struct WaitLimits {
  TimePoint until = kNever;
  std::uint32_t length_max = 0;  // that wait over all workers; 0: nobody may
};

// One request's wait. Derive from it what takes the slot, and await that in the expression that
// makes it, while the CancelSlot holds nothing else. A success: try_take() was true, once. Errors:
// queue_full at once, queue_timeout, the CancelSlot's reason; with these it never was.
class QueueWait : private Deferred, private Timer, private net::Abortable {
 public:
  QueueWait(const QueueWait&) = delete;

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> task) noexcept;
  Result<void> await_resume() noexcept;

 protected:
  QueueWait(WorkerWaitQueue& queue, net::CancelSlot& cancel, const WaitLimits& limits) noexcept;
  ~QueueWait() = default;

  // It is this request's turn: takes a slot if one is free. Must neither wait nor give one back.
  virtual bool try_take() noexcept = 0;

 private:
  friend class WorkerWaitQueue;

  void end(Error outcome) noexcept;
  void abort(Error reason) noexcept override;

  WorkerWaitQueue& queue_;
  net::CancelSlot& cancel_;
  WaitLimits limits_;
  std::uint64_t ticket_ = 0;
  bool is_waiting_ = false;
  Error outcome_;
  std::coroutine_handle<> task_;
};

}  // namespace weir::backend
