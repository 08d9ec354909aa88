// What timers and coroutine frames cost.

#include <benchmark/benchmark.h>
#include <deque>
#include <functional>

#include "base/random.h"
#include "runtime/scope.h"
#include "runtime/task.h"
#include "runtime/timers.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

void do_nothing(Timer&) noexcept {}

// Timers that are armed for a minute to come.
std::deque<Timer> arm_many(Timers& timers, std::int64_t count) {
  Random random(1);
  std::deque<Timer> armed;
  for (std::int64_t i = 0; i < count; ++i) {
    armed.emplace_back(&do_nothing).arm(timers, TimePoint(milliseconds(1 + random.below(60'000))));
  }
  return armed;
}

// As a connection does, whose timer stays in the wheel between two waits.
void arm_again(benchmark::State& bench) {
  Timers timers{TimePoint()};
  const std::deque<Timer> others = arm_many(timers, bench.range(0));
  Timer timer(&do_nothing);
  for (auto _ : bench) {
    timer.arm(timers, TimePoint(seconds(30)));
    benchmark::DoNotOptimize(timer);
    timer.disarm();
    benchmark::DoNotOptimize(timer);
  }
}

// Into the wheel and out of it.
void arm_and_destroy(benchmark::State& bench) {
  Timers timers{TimePoint()};
  const std::deque<Timer> others = arm_many(timers, bench.range(0));
  for (auto _ : bench) {
    Timer timer(&do_nothing);
    timer.arm(timers, TimePoint(seconds(30)));
    benchmark::DoNotOptimize(timer);
  }
}

// For each of the timers, all within a minute: arming it, moving it down the wheel, its call.
void arm_and_fire(benchmark::State& bench) {
  for (auto _ : bench) {
    Timers timers{TimePoint()};
    const std::deque<Timer> armed = arm_many(timers, bench.range(0));
    for (TimePoint now; now <= TimePoint(seconds(60)); now += milliseconds(1)) timers.expire(now);
    if (timers.fired_count() != armed.size()) bench.SkipWithError("a timer did not fire");
  }
  using benchmark::Counter;
  bench.counters["per_timer"] = Counter(static_cast<double>(bench.range(0)),
                                        Counter::kIsIterationInvariantRate | Counter::kInvert);
}

void add_sizes(benchmark::internal::Benchmark* bench) {
  bench->Arg(0)->Arg(10'000)->Arg(1'000'000);
}
BENCHMARK(arm_again)->Name("timer/arm_again")->Apply(add_sizes);
BENCHMARK(arm_and_destroy)->Name("timer/arm_and_destroy")->Apply(add_sizes);
BENCHMARK(arm_and_fire)
    ->Name("timer/arm_and_fire")
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond);

[[gnu::noinline]] Task<int> give(int number) { co_return number; }

Task<> await_each(benchmark::State& bench) {
  for (auto _ : bench) benchmark::DoNotOptimize(co_await give(1));
}

// A call of a task that ends at once; its frame comes from the cache.
void await_task(benchmark::State& bench) {
  Scope scope;
  scope.spawn(&await_each, std::ref(bench));
}
BENCHMARK(await_task)->Name("task/call_and_await");

}  // namespace
}  // namespace weir
