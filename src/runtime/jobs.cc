#include "runtime/jobs.h"

#include <pthread.h>

namespace weir {

Jobs::Jobs() : thread_([this] { serve(); }) {}

Error Jobs::enqueue(Job& job) noexcept {
  const std::lock_guard lock(mutex_);
  if (stopping_) return make_error(ErrorKind::shutting_down, Side::weir);
  if (queued_ == kQueueMax) return make_error(ErrorKind::queue_full, Side::weir);
  queue_.push_back(job);
  ++queued_;
  changed_.notify_one();
  return {};
}

// Waits for one; nullptr when there will be no more.
Job* Jobs::next_job() noexcept {
  std::unique_lock lock(mutex_);
  while (queue_.is_empty() && !stopping_) changed_.wait(lock);
  if (queue_.is_empty()) return nullptr;
  --queued_;
  return &queue_.pop_front();
}

void Jobs::serve() noexcept {
  ::pthread_setname_np(::pthread_self(), "weir-jobs");
  while (Job* job = next_job()) {
    Worker& worker = *job->worker_;
    job->run();
    worker.post(*job);  // and it may be gone
  }
}

void Jobs::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace weir
