#include "runtime/jobs.h"

#include <pthread.h>

namespace weir {

Jobs::Jobs(const char* thread_name, std::size_t queue_max)
    : thread_name_(thread_name), queue_max_(queue_max), thread_([this] { serve(); }) {}

Error Jobs::enqueue(Worker& /*worker*/, Job& job) noexcept {
  const std::lock_guard lock(mutex_);
  if (stopping_) return make_error(ErrorKind::shutting_down, Side::weir);
  if (queued_ == queue_max_) return make_error(ErrorKind::queue_full, Side::weir);
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
  ::pthread_setname_np(::pthread_self(), thread_name_);
  while (Job* job = next_job()) run_and_post(*job);
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
