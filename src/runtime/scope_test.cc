#include "runtime/scope.h"

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir {
namespace {

// Holds every task that comes, until the test lets them go on in their order.
struct Gates {
  auto pass() noexcept {
    struct Awaiter {
      Gates& gates;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> task) const { gates.waiting.push_back(task); }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }
  void open_one() {
    const auto task = waiting.front();
    waiting.erase(waiting.begin());
    task.resume();
  }
  std::vector<std::coroutine_handle<>> waiting;
};

struct Listener final : StopListener {
  explicit Listener(std::string& log, char name) : log(log), name(name) {}
  void on_stop() noexcept override {
    log += name;
    if (destroys != nullptr) destroys->reset();
  }
  std::string& log;
  char name;
  std::optional<Listener>* destroys = nullptr;
};

TEST(Scope, RunsATaskAtOnceUntilItFirstWaits) {
  Scope scope;
  Gates gates;
  int step = 0;
  scope.spawn([&]() -> Task<> {
    step = 1;
    co_await gates.pass();
    step = 2;
  });
  EXPECT_EQ(step, 1);
  EXPECT_EQ(scope.running(), 1u);
  gates.open_one();
  EXPECT_EQ(step, 2);
  EXPECT_EQ(scope.running(), 0u);
}

Task<> take(Gates& gates, std::unique_ptr<int> owned, std::string text, std::string& got) {
  co_await gates.pass();
  got = text + std::to_string(*owned);
}

TEST(Scope, ArgumentsLiveInTheTask) {
  Scope scope;
  Gates gates;
  std::string got;
  const auto by_reference = [](Gates* at, std::unique_ptr<int> owned, std::string text,
                               std::string* out) {
    return take(*at, std::move(owned), std::move(text), *out);
  };
  scope.spawn(by_reference, &gates, std::make_unique<int>(7), std::string("a long text number "),
              &got);
  gates.open_one();
  EXPECT_EQ(got, "a long text number 7");
}

TEST(Scope, AFunctionObjectLivesAsLongAsItsTask) {
  Scope scope;
  Gates gates;
  const auto shared = std::make_shared<int>(7);
  int got = 0;
  scope.spawn([&gates, &got, shared]() -> Task<> {
    co_await gates.pass();
    got = *shared;
  });
  EXPECT_EQ(shared.use_count(), 2);
  gates.open_one();
  EXPECT_EQ(got, 7);
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(Scope, DrainedIsReadyWhenNothingRuns) {
  Scope scope;
  EXPECT_TRUE(scope.drained().await_ready());
}

TEST(Scope, DrainedEndsWithTheLastTask) {
  Scope scope;
  Scope outer;
  Gates gates;
  bool drained = false;
  const auto wait = [&]() -> Task<> { co_await gates.pass(); };
  scope.spawn(wait);
  scope.spawn(wait);
  outer.spawn([&]() -> Task<> {
    co_await scope.drained();
    drained = true;
  });
  gates.open_one();
  EXPECT_FALSE(drained);
  scope.spawn(wait);
  gates.open_one();
  EXPECT_FALSE(drained);
  gates.open_one();
  EXPECT_TRUE(drained);
}

TEST(Scope, MayBeDestroyedByWhoeverAwaitedItsEnd) {
  auto scope = std::make_unique<Scope>();
  Scope outer;
  Gates gates;
  scope->spawn([&]() -> Task<> { co_await gates.pass(); });
  outer.spawn([&]() -> Task<> {
    co_await scope->drained();
    scope.reset();
  });
  gates.open_one();
  EXPECT_EQ(scope, nullptr);
}

TEST(Scope, ATaskMaySpawnBesideItself) {
  Scope scope;
  Gates gates;
  int ended = 0;
  const auto child = [&]() -> Task<> {
    co_await gates.pass();
    ++ended;
  };
  scope.spawn([&]() -> Task<> {
    for (int i = 0; i < 3; ++i) scope.spawn(child);
    co_return;
  });
  EXPECT_EQ(scope.running(), 3u);
  while (!gates.waiting.empty()) gates.open_one();
  EXPECT_EQ(ended, 3);
}

TEST(Scope, TellsItsListenersOnceInTheOrderTheyCame) {
  Scope scope;
  std::string log;
  Listener a(log, 'a'), b(log, 'b');
  scope.listen(b);
  scope.listen(a);
  EXPECT_FALSE(scope.is_stopping());
  scope.request_stop();
  scope.request_stop();
  EXPECT_TRUE(scope.is_stopping());
  EXPECT_EQ(log, "ba");
}

TEST(Scope, ADestroyedListenerIsNotTold) {
  Scope scope;
  std::string log;
  Listener first(log, 'a');
  std::optional<Listener> by_callback(std::in_place, log, 'b');
  first.destroys = &by_callback;
  scope.listen(first);
  {
    Listener gone(log, 'c');
    scope.listen(gone);
    scope.listen(*by_callback);
  }
  scope.request_stop();
  EXPECT_EQ(log, "a");
}

TEST(Scope, StoppingWakesWhoWaitsAndDrains) {
  Scope scope;
  struct Sleeper final : StopListener {
    void on_stop() noexcept override { waiter.resume(); }
    bool await_ready() const noexcept { return scope.is_stopping(); }
    void await_suspend(std::coroutine_handle<> task) noexcept {
      waiter = task;
      scope.listen(*this);
    }
    void await_resume() const noexcept {}
    explicit Sleeper(Scope& in) : scope(in) {}
    Scope& scope;
    std::coroutine_handle<> waiter;
  };
  for (int i = 0; i < 3; ++i) {
    scope.spawn([&]() -> Task<> { co_await Sleeper(scope); });
  }
  EXPECT_EQ(scope.running(), 3u);
  scope.request_stop();
  EXPECT_EQ(scope.running(), 0u);
}

}  // namespace
}  // namespace weir
