#include "backend/retry_plan.h"

namespace weir::backend {

// What waits in the queue, and takes the lease when it is its turn.
class RetryPlan::Turn final : public QueueWait {
 public:
  Turn(RetryPlan& plan, WorkerBackend& backend, net::CancelSlot& cancel, const WaitLimits& limits,
       ServerLease& lease) noexcept
      : QueueWait(backend.wait_queue(), cancel, limits),
        plan_(plan),
        backend_(backend),
        lease_(lease) {}

 private:
  bool try_take() noexcept override {
    lease_ = plan_.pick_now(backend_).lease;
    return static_cast<bool>(lease_);
  }

  RetryPlan& plan_;
  WorkerBackend& backend_;
  ServerLease& lease_;
};

Picked RetryPlan::pick(WorkerBackend& backend, TimePoint now) noexcept {
  if (!allows_attempt_at(now)) return {};
  if (backend.newest().has_waiters()) return {.lease = {}, .is_full = true};
  return pick_now(backend);
}

Picked RetryPlan::pick_now(WorkerBackend& backend) noexcept {
  WorkerBackend& newest = backend.newest();
  std::span<const LocalRef<ServerPool>> left_out = tried();
  Picked picked = newest.pick(request_, left_out);
  if (!picked.lease && left_out.size() > 1) {
    // Everybody's turn again, but not at once that of the one tried last.
    left_out = left_out.last(1);
    picked = newest.pick(request_, left_out);
  }
  if (!picked.lease && !left_out.empty()) {
    left_out = {};
    picked = newest.pick(request_, left_out);
  }
  if (!picked.lease) return picked;
  if (left_out.size() < count_) {
    if (!left_out.empty()) tried_[0] = left_out.front();
    count_ = static_cast<std::uint32_t>(left_out.size());
  }
  ++attempts_;
  tried_[count_++] = LocalRef<ServerPool>(picked.lease.pool());
  return picked;
}

Task<Result<void>> RetryPlan::wait(WorkerBackend& backend, net::CancelSlot& cancel,
                                   ServerLease& lease) {
  WorkerBackend& newest = backend.newest();
  const BackendSettings& settings = newest.backend().settings();
  newest.cells().queue_waits.add();
  const TimePoint until = std::min(newest.worker().now() + settings.timeouts.queue, due_);
  co_return co_await Turn(*this, backend, cancel, {until, settings.queue_length}, lease);
}

Duration RetryPlan::next_backoff(Random& random) noexcept {
  using std::chrono::microseconds;
  const auto bound = std::chrono::duration_cast<microseconds>(backoff_).count();
  backoff_ = std::min(2 * backoff_, settings_.backoff_max);
  return microseconds(random.below(static_cast<std::uint32_t>(bound) + 1));
}

}  // namespace weir::backend
