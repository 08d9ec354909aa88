#include "runtime/task.h"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "runtime/scope.h"

namespace weir {
namespace {

// Waits until the test goes on with it.
struct Gate {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> task) noexcept { waiter = task; }
  void await_resume() const noexcept {}
  void open() { std::exchange(waiter, nullptr).resume(); }
  std::coroutine_handle<> waiter;
};

Task<int> plus_one(int number) { co_return number + 1; }

TEST(Task, RunsOnlyWhenItIsAwaited) {
  bool ran = false;
  const auto set = [](bool& flag) -> Task<> {
    flag = true;
    co_return;
  };
  {
    const Task<> never_awaited = set(ran);
  }
  EXPECT_FALSE(ran);
  Scope scope;
  scope.spawn([&]() -> Task<> { co_await set(ran); });
  EXPECT_TRUE(ran);
}

TEST(Task, GivesItsValueToTheWaiter) {
  Scope scope;
  int sum = 0;
  scope.spawn([&]() -> Task<> { sum = co_await plus_one(1) + co_await plus_one(10); });
  EXPECT_EQ(sum, 13);
}

TEST(Task, GivesMoveOnlyValues) {
  Scope scope;
  std::unique_ptr<int> got;
  const auto make = [](int number) -> Task<std::unique_ptr<int>> {
    co_return std::make_unique<int>(number);
  };
  scope.spawn([&]() -> Task<> { got = co_await make(7); });
  ASSERT_NE(got, nullptr);
  EXPECT_EQ(*got, 7);
}

Task<Result<>> succeed() { co_return {}; }
Task<Result<int>> fail_io() { co_return fail(ErrorKind::io); }
Task<Result<std::string>> text_of(Task<Result<int>> (*make)()) {
  WEIR_CO_TRY(co_await succeed());
  const int number = WEIR_CO_TRY(co_await make());
  co_return std::to_string(number);
}

TEST(Task, PassesErrorsUp) {
  Scope scope;
  scope.spawn([]() -> Task<> {
    const Result<std::string> failed = co_await text_of(&fail_io);
    EXPECT_EQ(failed.error().kind, ErrorKind::io);
    const Result<std::string> text = co_await text_of([]() -> Task<Result<int>> { co_return 42; });
    EXPECT_EQ(*text, "42");
  });
}

TEST(Task, GoesOnWhereItWaited) {
  Scope scope;
  Gate gate;
  std::string steps;
  const auto child = [&]() -> Task<int> {
    steps += 'b';
    co_await gate;
    steps += 'c';
    co_return 1;
  };
  scope.spawn([&]() -> Task<> {
    steps += 'a';
    co_await child();
    steps += 'd';
  });
  EXPECT_EQ(steps, "ab");
  gate.open();
  EXPECT_EQ(steps, "abcd");
}

// The value is gone, and the frame with it, at the end of the awaiting expression.
TEST(Task, AFrameEndsWithTheExpressionThatAwaitsIt) {
  Scope scope;
  const auto shared = std::make_shared<int>(7);
  const auto keep = [](std::shared_ptr<int> kept) -> Task<int> { co_return *kept; };
  scope.spawn([&]() -> Task<> {
    EXPECT_EQ(co_await keep(shared), 7);
    EXPECT_EQ(shared.use_count(), 1);
  });
}

struct StackRange {
  void note(const void* frame) {
    const auto here = reinterpret_cast<std::uintptr_t>(frame);
    lowest = std::min(lowest, here);
    highest = std::max(highest, here);
  }
  std::uintptr_t bytes() const { return highest - lowest; }
  std::uintptr_t lowest = UINTPTR_MAX;
  std::uintptr_t highest = 0;
};

TEST(Task, AMillionInstantAwaitsDoNotGrowTheStack) {
  Scope scope;
  StackRange stack;
  const auto child = [&](int number) -> Task<int> {
    stack.note(__builtin_frame_address(0));
    co_return number;
  };
  std::int64_t sum = 0;
  scope.spawn([&]() -> Task<> {
    for (int i = 0; i < 1'000'000; ++i) sum += co_await child(i);
  });
  EXPECT_EQ(sum, std::int64_t{999'999} * 500'000);
  EXPECT_LT(stack.bytes(), 4096u);
}

Task<int> depth(int levels, StackRange& stack) {
  stack.note(__builtin_frame_address(0));
  if (levels == 0) co_return 0;
  const int below = co_await depth(levels - 1, stack);
  stack.note(__builtin_frame_address(0));
  co_return below + 1;
}

TEST(Task, AChainOfAnyLengthDoesNotGrowTheStack) {
  Scope scope;
  StackRange stack;
  int levels = 0;
  scope.spawn([&]() -> Task<> { levels = co_await depth(100'000, stack); });
  EXPECT_EQ(levels, 100'000);
  EXPECT_LT(stack.bytes(), 4096u);
}

#if !WEIR_POISON
TEST(Task, TheSameFrameServesOneChildAfterAnother) {
  Scope scope;
  std::set<const void*> frames;
  const auto child = [&]() -> Task<> {
    Gate in_the_frame;
    frames.insert(&in_the_frame);
    struct Ready : std::suspend_never {
      explicit Ready(Gate&) {}
    };
    co_await Ready(in_the_frame);
  };
  scope.spawn([&]() -> Task<> {
    for (int i = 0; i < 1000; ++i) co_await child();
  });
  EXPECT_EQ(frames.size(), 1u);
}
#endif

TEST(TaskDeathTest, AnExceptionThatLeavesATaskEndsTheProcess) {
  const auto run = [] {
    Scope scope;
    scope.spawn([]() -> Task<> {
      throw 1;
      co_return;
    });
  };
  EXPECT_DEATH(run(), "no exception leaves a task");
}

}  // namespace
}  // namespace weir
