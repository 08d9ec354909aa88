# Some compilers destroy aggregate temporaries twice around co_await (g++ 12.2 does: it prints -1 here).
# Such a compiler would corrupt memory at run time, so it is refused here.
include(CheckCXXSourceRuns)
set(CMAKE_REQUIRED_FLAGS "-std=c++23")
check_cxx_source_runs([[
#include <coroutine>
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};
struct Counted {
  Counted() { ++live; }
  Counted(const Counted&) { ++live; }
  ~Counted() { --live; }
  static inline int live = 0;
};
struct Aggregate { Counted member; };
struct Ready {
  bool await_ready() noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) noexcept {}
  int await_resume() noexcept { return 0; }
};
int take(const Aggregate&) { return 0; }
Task probe() { int sum = take(Aggregate{Counted{}}) + co_await Ready{}; (void)sum; }
int main() { probe(); return Counted::live == 0 ? 0 : 1; }
]] WEIR_COROUTINES_ARE_SOUND)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT WEIR_COROUTINES_ARE_SOUND)
  message(FATAL_ERROR "${CMAKE_CXX_COMPILER} miscompiles coroutines (or is older than C++23). "
                      "Use clang-19: cmake --preset release")
endif()
