#pragma once
// Task<T>: a lazy coroutine that is awaited in the expression that made it. Its frame comes from
// the frame cache; ending it resumes the waiter by symmetric transfer, so chains of any length use
// no stack.

#include <coroutine>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "runtime/frame_cache.h"

namespace weir {

namespace detail {

struct FramePromise {
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { free_frame(frame, bytes); }
  // Nothing on a worker throws; what does is a mistake that must not be carried on with.
  [[noreturn]] void unhandled_exception() noexcept {
    assertion_failed("no exception leaves a task", __FILE__, __LINE__);
  }
};

struct TaskPromiseBase : FramePromise {
  struct ResumeWaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      return self.promise().waiter;
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  ResumeWaiter final_suspend() const noexcept { return {}; }
  std::coroutine_handle<> waiter;
};

template <class T>
struct TaskPromise : TaskPromiseBase {
  template <class U = T>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
  std::optional<T> value;
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : detail::TaskPromise<T> {
    Task get_return_object() noexcept {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
  };

  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { handle_.destroy(); }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> task;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) const noexcept {
        task.promise().waiter = waiter;
        return task;
      }
      T await_resume() const { return task.promise().take(); }
    };
    return Awaiter{handle_};
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace weir
