#include "runtime/worker.h"

namespace weir {

Worker::Worker(std::uint32_t index, std::unique_ptr<BufferPool> buffers,
               std::unique_ptr<Reactor> reactor, std::uint64_t seed)
    : index_(index),
      buffers_(std::move(buffers)),
      reactor_(std::move(reactor)),
      timers_(reactor_->now()),
      random_(seed),
      shared_buffer_(buffers_->take(BufferPool::kLargest)) {
  WEIR_ASSERT(shared_buffer_);
}

Result<std::unique_ptr<Worker>> Worker::make(ReactorKind reactor, std::uint32_t index,
                                             std::size_t buffer_bytes_max, std::uint64_t seed) {
  auto buffers = std::make_unique<BufferPool>(buffer_bytes_max + BufferPool::kLargest);
  auto made = WEIR_TRY(make_reactor(reactor, *buffers));
  return std::make_unique<Worker>(index, std::move(buffers), std::move(made), seed);
}

void Worker::turn() noexcept {
  reactor_->turn(deferred_.is_empty() ? timers_.next() : reactor_->now());
  mailbox_.deliver_all();
  timers_.expire(reactor_->now());
  IntrusiveList<Deferred> due;
  deferred_.splice_to(due);
  while (!due.is_empty()) {
    Deferred& deferred = due.pop_front();
    deferred.callback_(deferred);
  }
  turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Worker::run() noexcept {
  while (running_) turn();
}

}  // namespace weir
