#include "backend/wait_queue.h"

#include <utility>

#include "backend/slots.h"

namespace weir::backend {

// Posted to a worker whose waiter is the oldest of all. Whoever takes it out of its Part posts it;
// the delivery puts it back.
class WaitQueue::Wake final : public Message {
 public:
  Wake(WorkerWaitQueue& queue, Worker& worker) noexcept : queue_(queue), worker_(worker) {}

  void post() noexcept { worker_.post(*this); }
  // The queue goes while the message is under way.
  static void orphan(std::unique_ptr<Wake> wake) noexcept {
    Wake& orphan = *wake;
    orphan.self_ = std::move(wake);
  }

 private:
  void deliver() noexcept override {
    if (!self_) return queue_.on_wake();
    const std::unique_ptr<Wake> end = std::move(self_);
  }

  WorkerWaitQueue& queue_;
  Worker& worker_;
  std::unique_ptr<Wake> self_;
};

WaitQueue::Part* WaitQueue::find_oldest() noexcept {
  Part* oldest = nullptr;
  std::uint64_t smallest = kNobody;
  for (Part& part : parts_) {
    const std::uint64_t ticket = part.oldest.load(std::memory_order_seq_cst);
    if (ticket >= smallest) continue;
    smallest = ticket;
    oldest = &part;
  }
  return oldest;
}

void WaitQueue::wake_oldest() noexcept {
  Part* part = find_oldest();
  // Nobody: those that are about to publish their tickets will look for themselves.
  if (part == nullptr) return;
  // Written even if it is under way: so the delivery, which exchanges it too, sees the slot.
  if (Wake* wake = part->wake.exchange(nullptr, std::memory_order_seq_cst)) wake->post();
}

WorkerWaitQueue::WorkerWaitQueue(WaitQueue& shared, Worker& worker)
    : shared_(shared),
      worker_(worker),
      part_(shared.parts_[worker.index()]),
      wake_(std::make_unique<WaitQueue::Wake>(*this, worker)) {
  WEIR_ASSERT(worker.index() < shared.parts_.size());
  const WaitQueue::Wake* other = part_.wake.exchange(wake_.get(), std::memory_order_seq_cst);
  WEIR_ASSERT(other == nullptr);
}

WorkerWaitQueue::~WorkerWaitQueue() {
  WEIR_ASSERT(waiters_.is_empty());
  const bool is_at_hand = part_.wake.exchange(nullptr, std::memory_order_seq_cst) != nullptr;
  if (!is_at_hand) WaitQueue::Wake::orphan(std::move(wake_));
}

bool WorkerWaitQueue::take_place(std::uint32_t length_max) noexcept {
  // The places of a queue are counted as the slots of a server are, but that 0 is none of them.
  return length_max != 0 && try_acquire_slot(shared_.waiting_, length_max);
}

void WorkerWaitQueue::enter(QueueWait& wait) noexcept {
  wait.ticket_ = shared_.next_ticket_.fetch_add(1, std::memory_order_relaxed);
  const bool is_first = waiters_.is_empty();
  waiters_.push_back(wait);
  if (!is_first) return;
  publish_oldest();
  // A slot may have become free before the ticket could be seen.
  serve();
}

void WorkerWaitQueue::leave(QueueWait& wait) noexcept {
  static_cast<Deferred&>(wait).unlink();
  publish_oldest();
  shared_.waiting_.fetch_sub(1, std::memory_order_seq_cst);
}

void WorkerWaitQueue::publish_oldest() noexcept {
  const std::uint64_t ticket =
      waiters_.is_empty() ? WaitQueue::kNobody : static_cast<QueueWait&>(waiters_.front()).ticket_;
  part_.oldest.store(ticket, std::memory_order_seq_cst);
}

void WorkerWaitQueue::on_wake() noexcept {
  // Before looking: a slot that becomes free from here on posts the message again.
  part_.wake.exchange(wake_.get(), std::memory_order_seq_cst);
  serve();
}

void WorkerWaitQueue::serve() noexcept {
  while (shared_.find_oldest() == &part_) {
    auto& oldest = static_cast<QueueWait&>(waiters_.front());
    if (!oldest.try_take()) return;
    oldest.end({});
    worker_.defer(oldest);
  }
  // More slots may be free, and the oldest waits elsewhere.
  shared_.on_slot_free();
}

QueueWait::QueueWait(WorkerWaitQueue& queue, net::CancelSlot& cancel,
                     const WaitLimits& limits) noexcept
    : Deferred([](Deferred& self) noexcept { static_cast<QueueWait&>(self).task_.resume(); }),
      Timer([](Timer& self) noexcept {
        auto& wait = static_cast<QueueWait&>(self);
        wait.end(make_error(ErrorKind::queue_timeout, Side::weir));
        wait.queue_.on_slot_free();
        wait.task_.resume();
      }),
      queue_(queue),
      cancel_(cancel),
      limits_(limits) {}

bool QueueWait::await_ready() noexcept {
  outcome_ = cancel_.reason();
  if (outcome_.kind != ErrorKind::none) return true;
  is_waiting_ = queue_.take_place(limits_.length_max);
  if (!is_waiting_) outcome_ = make_error(ErrorKind::queue_full, Side::weir);
  return !is_waiting_;
}

void QueueWait::await_suspend(std::coroutine_handle<> task) noexcept {
  task_ = task;
  arm(queue_.worker_.timers(), limits_.until);
  cancel_.hold(*this);
  queue_.enter(*this);
}

Result<void> QueueWait::await_resume() noexcept {
  cancel_.let_go();
  if (outcome_.kind != ErrorKind::none) return fail(outcome_);
  return {};
}

void QueueWait::end(Error outcome) noexcept {
  disarm();
  is_waiting_ = false;
  outcome_ = outcome;
  queue_.leave(*this);
}

void QueueWait::abort(Error reason) noexcept {
  // One that has its slot keeps it: its task gives it back when it finds itself cancelled.
  if (!is_waiting_) return;
  end(reason);
  queue_.worker_.defer(*this);
  queue_.on_slot_free();
}

}  // namespace weir::backend
