#include "runtime/worker.h"

#include <functional>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <thread>

#include "runtime/reactor_test_support.h"
#include "runtime/scope.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Worker> make_worker() {
  return Worker::make(reactor_under_test(), 3, 1 << 20, 42).value();
}

template <class Function>
struct Call final : Message {
  explicit Call(Function function) : function(std::move(function)) {}
  void deliver() noexcept override { function(); }
  Function function;
};

template <class Function>
struct Later final : Deferred {
  explicit Later(Function function)
      : Deferred([](Deferred& self) noexcept { static_cast<Later&>(self).function(); }),
        function(std::move(function)) {}
  Function function;
};

TEST(Worker, HasWhatItWasMadeWith) {
  const auto worker = make_worker();
  EXPECT_EQ(worker->index(), 3u);
  EXPECT_EQ(worker->shared_buffer().size(), BufferPool::kLargest);
  EXPECT_EQ(worker->random().next(), Random(42).next());
  // The shared buffer takes nothing from the limit.
  EXPECT_TRUE(worker->buffers().take(BufferPool::kLargest));
}

TEST(Worker, AMessageFromAnotherThreadWakesIt) {
  const auto worker = make_worker();
  int delivered = 0;
  Call last([&] { worker->stop_running(); });
  Call first([&] {
    ++delivered;
    worker->post(last);
  });
  std::thread sender([&] { worker->post(first); });
  worker->run();
  sender.join();
  EXPECT_EQ(delivered, 1);
}

// A wake that were lost would leave both waiting for ever.
TEST(Worker, TwoWorkersAnswerEachOtherWithoutATimer) {
  const auto here = make_worker();
  const auto there = make_worker();
  int left = 10'000;
  std::optional<Call<std::function<void()>>> ping, pong;
  Call stop([&] { there->stop_running(); });
  ping.emplace([&] { here->post(*pong); });
  pong.emplace([&] {
    if (--left > 0) return there->post(*ping);
    there->post(stop);
    here->stop_running();
  });
  there->post(*ping);
  std::thread other([&] { there->run(); });
  here->run();
  other.join();
  EXPECT_EQ(left, 0);
}

TEST(Worker, TimersFireWhileItRuns) {
  const auto worker = make_worker();
  struct Alarm : Timer {
    explicit Alarm(Worker& in) : Timer(&on_fire), worker(in) {}
    static void on_fire(Timer& timer) noexcept { static_cast<Alarm&>(timer).worker.stop_running(); }
    Worker& worker;
  };
  Alarm alarm(*worker);
  const TimePoint deadline = worker->now() + 5ms;
  alarm.arm(worker->timers(), deadline);
  worker->run();
  EXPECT_GE(worker->now(), deadline);
}

TEST(Worker, WhatIsDeferredRunsInTheNextTurn) {
  const auto worker = make_worker();
  int runs = 0;
  std::optional<Later<std::function<void()>>> later;
  later.emplace([&] {
    if (++runs < 3) worker->defer(*later);
  });
  worker->defer(*later);
  EXPECT_EQ(runs, 0);
  for (int turns = 1; turns <= 3; ++turns) {
    worker->turn();
    EXPECT_EQ(runs, turns);
  }
}

TEST(Worker, WhatIsDestroyedBeforeItsTurnDoesNotRun) {
  const auto worker = make_worker();
  int runs = 0;
  std::optional<Later<std::function<void()>>> second;
  Later first([&] { second.reset(); });
  second.emplace([&] { ++runs; });
  worker->defer(first);
  worker->defer(*second);
  worker->turn();
  EXPECT_EQ(runs, 0);
}

TEST(Worker, YieldLetsOthersHaveTheirTurn) {
  const auto worker = make_worker();
  Scope scope;
  std::string steps;
  const auto loop = [&](char name) -> Task<> {
    for (int i = 0; i < 3; ++i) {
      steps += name;
      co_await worker->yield();
    }
  };
  scope.spawn(loop, 'a');
  scope.spawn(loop, 'b');
  while (scope.running() != 0) worker->turn();
  EXPECT_EQ(steps, "ababab");
}

TEST(Worker, ALoopThatYieldsKeepsNeitherMessagesNorTimersNorSocketsWaiting) {
  const auto worker = make_worker();
  Scope scope;
  struct Alarm : Timer {
    Alarm() : Timer([](Timer& timer) noexcept { static_cast<Alarm&>(timer).fired = true; }) {}
    bool fired = false;
  };
  Alarm alarm;
  alarm.arm(worker->timers(), worker->now() + 2ms);
  bool delivered = false;
  Call message([&] { delivered = true; });
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  const Fd peer(ends[1]);
  Socket& socket = worker->reactor().adopt(Fd(ends[0]));
  ReceiveOperation receive([](Operation&) noexcept {});
  ASSERT_EQ(worker->reactor().start_receive(socket, receive), Started::waiting);
  ASSERT_EQ(::send(peer.get(), "x", 1, 0), 1);
  worker->post(message);

  scope.spawn([&]() -> Task<> {
    while (!alarm.fired || !delivered || receive.is_pending()) co_await worker->yield();
  });
  const std::uint64_t before = worker->turns();
  while (scope.running() != 0) worker->turn();
  EXPECT_GT(worker->turns(), before);
  receive.buffer.release();
  worker->reactor().close(socket);
}

}  // namespace
}  // namespace weir
