#include "backend/retry_plan.h"

namespace weir::backend {

ServerLease RetryPlan::pick(WorkerBackend& backend, TimePoint now) noexcept {
  if (!allows_attempt_at(now)) return {};
  ServerLease lease = backend.pick(tried());
  if (!lease && count_ > 1) {
    // Everybody's turn again, but not at once that of the one tried last.
    tried_[0] = tried_[count_ - 1];
    count_ = 1;
    lease = backend.pick(tried());
  }
  if (!lease && count_ > 0) {
    count_ = 0;
    lease = backend.pick(tried());
  }
  if (!lease) return {};
  ++attempts_;
  tried_[count_++] = lease.index();
  return lease;
}

void RetryPlan::forget_last() noexcept {
  WEIR_ASSERT(count_ > 0);
  --count_;
}

Duration RetryPlan::next_backoff(Random& random) noexcept {
  using std::chrono::microseconds;
  const auto bound = std::chrono::duration_cast<microseconds>(backoff_).count();
  backoff_ = std::min(2 * backoff_, settings_.backoff_max);
  return microseconds(random.below(static_cast<std::uint32_t>(bound) + 1));
}

}  // namespace weir::backend
