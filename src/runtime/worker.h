#pragma once
// Worker: one thread's reactor, timers, buffers and mailbox; it owns every connection it accepted.
// The control thread is one as well. The object makes no thread: whoever does calls run(); the
// simulation calls turn().

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>

#include "base/buffer_pool.h"
#include "base/intrusive_list.h"
#include "base/random.h"
#include "base/result.h"
#include "runtime/mailbox.h"
#include "runtime/pipe_pool.h"
#include "runtime/reactor.h"
#include "runtime/system_reactor.h"
#include "runtime/timers.h"

namespace weir {

// Something to be run in the next turn of its worker.
class Deferred : public Link {
 public:
  using Callback = void (*)(Deferred&) noexcept;
  explicit Deferred(Callback callback) noexcept : callback_(callback) {}

 private:
  friend class Worker;
  Callback callback_;
};

class Worker {
 public:
  Worker(std::uint32_t index, std::unique_ptr<BufferPool> buffers, std::unique_ptr<Reactor> reactor,
         std::uint64_t seed);
  Worker(const Worker&) = delete;

  // A worker on a reactor of this machine. buffer_bytes_max bounds its buffers. The thread of the
  // first turn is the worker's.
  static Result<std::unique_ptr<Worker>> make(ReactorKind reactor, std::uint32_t index,
                                              std::size_t buffer_bytes_max, std::uint64_t seed);

  std::uint32_t index() const noexcept { return index_; }
  Reactor& reactor() noexcept { return *reactor_; }
  Timers& timers() noexcept { return timers_; }
  BufferPool& buffers() noexcept { return *buffers_; }
  PipePool& pipes() noexcept { return pipes_; }
  Random& random() noexcept { return random_; }
  TimePoint now() const noexcept { return reactor_->now(); }
  // Where bodies pass through; holds nothing from one call of a task or callback to the next.
  std::span<char> shared_buffer() noexcept { return shared_buffer_.span(); }

  // Any thread.
  void post(Message& message) noexcept {
    if (mailbox_.post(message)) reactor_->wake();
  }

  // Must not be deferred already.
  void defer(Deferred& deferred) noexcept { deferred_.push_back(deferred); }

  // Lets everything else that is ready have its turn: for loops that may not wait otherwise.
  auto yield() noexcept {
    struct Awaiter : Deferred {
      explicit Awaiter(Worker& owner) noexcept : Deferred(&on_turn), worker(owner) {}
      static void on_turn(Deferred& self) noexcept { static_cast<Awaiter&>(self).waiter.resume(); }
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> task) noexcept {
        waiter = task;
        worker.defer(*this);
      }
      void await_resume() const noexcept {}
      Worker& worker;
      std::coroutine_handle<> waiter;
    };
    return Awaiter(*this);
  }

  // One turn of the loop: messages, what completed, timers, what was deferred.
  void turn() noexcept;
  // Turns until stop_running() was called, on this thread.
  void run() noexcept;
  void stop_running() noexcept { running_ = false; }

  // How often the loop has turned. Any thread: one that stands still while messages wait is stuck.
  std::uint64_t turns() const noexcept { return turns_.load(std::memory_order_relaxed); }

 private:
  std::uint32_t index_;
  std::unique_ptr<BufferPool> buffers_;
  PipePool pipes_;
  std::unique_ptr<Reactor> reactor_;
  Timers timers_;
  Random random_;
  Buffer shared_buffer_;
  Mailbox mailbox_;
  IntrusiveList<Deferred> deferred_;
  bool running_ = true;
  std::atomic<std::uint64_t> turns_{0};
};

}  // namespace weir
