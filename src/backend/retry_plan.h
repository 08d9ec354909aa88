#pragma once
// RetryPlan: the attempts of one request or connection: on which servers, how many, and until when.
// Lives in the frame of the task that makes them.

#include <algorithm>
#include <array>
#include <span>

#include "backend/worker_backend.h"
#include "base/random.h"

namespace weir::backend {

class RetryPlan {
 public:
  // now: when the first attempt may begin.
  RetryPlan(const RetrySettings& settings, TimePoint now, const PickFor& request) noexcept
      : settings_(settings),
        request_(request),
        due_(now + settings.deadline),
        backoff_(std::min(settings.backoff, settings.backoff_max)) {}

  // Whether one more attempt may begin then.
  bool allows_attempt_at(TimePoint time) const noexcept {
    return attempts_ < settings_.attempts && time < due_;
  }
  // A server for an attempt that begins now: one that was not tried yet while there is one; when
  // all have been, they are gone through again. No lease: no attempt is left, or no server, or all
  // are full.
  Picked pick(WorkerBackend& backend, TimePoint now) noexcept;
  // After a pick whose servers were all full: waits for its turn and gives the lease. Errors:
  // queue_full, queue_timeout, what the slot was cancelled with.
  Task<Result<void>> wait(WorkerBackend& backend, net::CancelSlot& cancel, ServerLease& lease);

  // Until when an attempt that begins now may take.
  TimePoint due_of_attempt_at(TimePoint now) const noexcept {
    return settings_.per_try_timeout ? std::min(due_, now + *settings_.per_try_timeout) : due_;
  }
  // What to wait before the next attempt: a random part of a bound that doubles (full jitter).
  Duration next_backoff(Random& random) noexcept;

 private:
  class Turn;
  Picked pick_now(WorkerBackend& backend) noexcept;
  std::span<const LocalRef<ServerPool>> tried() const noexcept { return {tried_.data(), count_}; }

  RetrySettings settings_;
  PickFor request_;
  TimePoint due_;
  Duration backoff_;
  std::uint32_t attempts_ = 0;
  std::uint32_t count_ = 0;  // of tried_
  std::array<LocalRef<ServerPool>, kAttemptsMax> tried_;
};

}  // namespace weir::backend
