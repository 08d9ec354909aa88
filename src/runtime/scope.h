#pragma once
// Scope: every task that runs beside others belongs to one. Stopping is asking, then awaiting:
// request_stop(), then co_await drained(). A scope that is destroyed while a task runs is a
// mistake.

#include <coroutine>
#include <cstddef>

#include "base/assert.h"
#include "base/intrusive_list.h"
#include "runtime/task.h"

namespace weir {

// Told once when its scope is asked to stop; unlinks itself when destroyed.
class StopListener : public Link {
 public:
  virtual void on_stop() noexcept = 0;

 protected:
  ~StopListener() = default;
};

class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { WEIR_ASSERT(running_ == 0); }

  // Runs function(arguments...), a task, beside the caller: at once until it first waits. The
  // arguments are copied or moved into the frame.
  template <class Function, class... Arguments>
  void spawn(Function function, Arguments... arguments) {
    ++running_;
    run(*this, function, std::move(arguments)...);
  }

  std::size_t running() const noexcept { return running_; }
  bool is_stopping() const noexcept { return stopping_; }

  // Tells every listener, in the order they came. Idempotent.
  void request_stop() noexcept {
    if (stopping_) return;
    stopping_ = true;
    IntrusiveList<StopListener> told;
    listeners_.splice_to(told);
    while (!told.is_empty()) told.pop_front().on_stop();
  }

  // The listener must not be used with a scope that is stopping already.
  void listen(StopListener& listener) noexcept {
    WEIR_ASSERT(!stopping_);
    listeners_.push_back(listener);
  }

  // Awaited by one task at most: until nothing runs.
  auto drained() noexcept {
    struct Awaiter {
      Scope& scope;
      bool await_ready() const noexcept { return scope.running_ == 0; }
      void await_suspend(std::coroutine_handle<> waiter) const noexcept {
        WEIR_ASSERT(!scope.waiter_);
        scope.waiter_ = waiter;
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

 private:
  struct Root {
    struct promise_type : detail::FramePromise {
      template <class... Arguments>
      explicit promise_type(Scope& owner, Arguments&...) noexcept : scope(owner) {}
      struct Leave {
        bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(
            std::coroutine_handle<promise_type> self) const noexcept {
          Scope& left = self.promise().scope;
          self.destroy();
          return left.on_task_end();
        }
        void await_resume() const noexcept {}
      };
      Root get_return_object() const noexcept { return {}; }
      std::suspend_never initial_suspend() const noexcept { return {}; }
      Leave final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      Scope& scope;
    };
  };

  template <class Function, class... Arguments>
  static Root run(Scope&, Function function, Arguments... arguments) {
    co_await function(std::move(arguments)...);
  }

  std::coroutine_handle<> on_task_end() noexcept {
    WEIR_ASSERT(running_ > 0);
    if (--running_ != 0 || !waiter_) return std::noop_coroutine();
    return std::exchange(waiter_, nullptr);
  }

  std::size_t running_ = 0;
  bool stopping_ = false;
  std::coroutine_handle<> waiter_;
  IntrusiveList<StopListener> listeners_;
};

}  // namespace weir
