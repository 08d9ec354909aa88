#include "balance/least_time.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "balance/time_picker_test_support.h"

namespace weir::balance {
namespace {

using namespace std::chrono_literals;
using test::TimedServers;

constexpr ServerIndex kA = to_server(0);
constexpr ServerIndex kB = to_server(1);
constexpr ServerIndex kC = to_server(2);

void set_leases(TimedServers& servers, std::initializer_list<std::uint32_t> leases) {
  for (std::size_t i = 0; const std::uint32_t count : leases)
    servers.leases[to_server(i++)] = count;
}

TEST(LeastTime, TakesTheLowestProductOfTimeAndLeases) {
  struct Example {
    std::initializer_list<Duration> times;
    std::initializer_list<std::uint32_t> leases;
    ServerIndex expected;
  };
  for (const Example& example :
       {Example{{50ms, 30ms, 40ms}, {5, 8, 10}, kB}, Example{{50ms, 100ms, 30ms}, {10, 5, 8}, kC},
        Example{{50ms, 30ms, 80ms}, {100, 120, 80}, kB}}) {
    const LeastTimePicker picker;
    TimedServers servers(picker, std::vector<ServerSpec>(3));
    servers.serve(example.times);
    set_leases(servers, example.leases);
    EXPECT_EQ(servers.pick(), example.expected);
  }
}

TEST(LeastTime, DividesTheProductByTheWeight) {
  const LeastTimePicker picker;
  TimedServers servers(picker, {{.weight = 4}, {.weight = 1}});
  servers.serve({30ms, 10ms});
  EXPECT_EQ(servers.pick(), kA);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 7.5);
  set_leases(servers, {1, 0});
  EXPECT_EQ(servers.pick(), kB);
}

TEST(LeastTime, AddsALeaseTimeForEachLeaseIfAsked) {
  const LeastTimePicker picker({.formula = TimeFormula::sum, .lease_time = 5ms});
  TimedServers servers(picker, {{}, {}, {.weight = 2}});
  servers.serve({50ms, 30ms, 100ms});
  set_leases(servers, {0, 3, 1});
  EXPECT_DOUBLE_EQ(*servers.score(kA), 50);
  EXPECT_DOUBLE_EQ(*servers.score(kB), 45);
  EXPECT_DOUBLE_EQ(*servers.score(kC), 52.5);
  EXPECT_EQ(servers.pick(), kB);
}

TEST(LeastTime, LooksAtTheTimeAloneIfAsked) {
  const LeastTimePicker picker({.formula = TimeFormula::time});
  TimedServers servers(picker, {{.weight = 50}, {}, {}});
  servers.serve({31ms, 30ms, 40ms});
  set_leases(servers, {0, 1000, 0});
  EXPECT_EQ(servers.pick(), kB);
}

TEST(LeastTime, TakesTheLessLoadedAndThenTheFirstOfEquals) {
  const LeastTimePicker picker({.formula = TimeFormula::time});
  TimedServers servers(picker, {{}, {}, {.weight = 2}});
  servers.serve({30ms, 30ms, 30ms});
  EXPECT_EQ(servers.pick(), kA);
  set_leases(servers, {3, 3, 3});
  EXPECT_EQ(servers.pick(), kC);
}

TEST(LeastTime, MovesTheAverageByAlphaOfTheDifference) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(1));
  servers.serve(kA, 100ms);
  servers.serve(kA, 200ms);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 120);
  servers.serve(kA, 20ms);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 100);

  const LeastTimePicker nimble({.alpha = 0.5});
  TimedServers others(nimble, std::vector<ServerSpec>(1));
  others.serve(kA, 100ms);
  others.serve(kA, 200ms);
  EXPECT_DOUBLE_EQ(*others.score(kA), 150);
}

TEST(LeastTime, AveragesTheLastSamplesOfAWindow) {
  const LeastTimePicker picker({.average = TimeAverage::window, .samples = 4});
  TimedServers servers(picker, std::vector<ServerSpec>(1));
  servers.serve(kA, 10ms);
  servers.serve(kA, 20ms);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 15);
  for (const Duration took : {30ms, 40ms, 50ms, 60ms}) servers.serve(kA, took);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 45);
}

TEST(LeastTime, AveragesAHundredSamplesUnlessTold) {
  const LeastTimePicker picker({.average = TimeAverage::window});
  TimedServers servers(picker, std::vector<ServerSpec>(1));
  servers.serve(kA, 110ms);
  for (int i = 0; i < 99; ++i) servers.serve(kA, 10ms);
  EXPECT_NEAR(*servers.score(kA), 11, 1e-6);
  servers.serve(kA, 10ms);
  EXPECT_NEAR(*servers.score(kA), 10, 1e-6);
}

TEST(LeastTime, MeasuresToTheHeaderOrToTheLastByte) {
  const LeastTimePicker to_header;
  const LeastTimePicker to_last_byte({.measure = Measured::last_byte});
  for (const Picker* picker :
       {static_cast<const Picker*>(&to_header), static_cast<const Picker*>(&to_last_byte)}) {
    const auto table = picker->build(std::vector<ServerSpec>(1), ServerSet::all(1));
    const auto state = picker->start(*table, WorkerIndex{0}, 1);
    picker->on_lease(*table, *state, kA, {});
    picker->on_response(*table, *state, kA, 10ms, {});
    picker->on_release(*table, *state, kA, {.lasted = 70ms}, {});
    PickRecorder recorder(1);
    picker->pick(*table, *state, {.recorder = &recorder});
    EXPECT_DOUBLE_EQ(*recorder.considered().front().score, picker == &to_header ? 10 : 70);
  }
}

TEST(LeastTime, IsNotSkewedByOneSlowResponse) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(1));
  for (int i = 0; i < 20; ++i) servers.serve(kA, 10ms);
  servers.serve(kA, 10s);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 18);  // as if it had taken 50 ms
  for (int i = 0; i < 10; ++i) servers.serve(kA, 10ms);
  EXPECT_LT(*servers.score(kA), 11);
}

TEST(LeastTime, BelievesTheThirdSlowResponseInARow) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(1));
  servers.serve(kA, 10ms);
  servers.serve(kA, 1s);
  servers.serve(kA, 1s);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 32.4);
  servers.serve(kA, 1s);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 0.8 * 32.4 + 200);
}

TEST(LeastTime, CountsAFailureAsTwiceTheAverageAtLeast) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(2));
  servers.serve({100ms, 110ms});
  servers.lease(kA);
  servers.end(kA, {.lasted = 1ms, .outcome = AttemptOutcome::failed});
  EXPECT_DOUBLE_EQ(*servers.score(kA), 120);
  EXPECT_EQ(servers.pick(), kB);
  servers.lease(kA);
  servers.end(kA, {.lasted = 1s, .outcome = AttemptOutcome::failed});
  EXPECT_DOUBLE_EQ(*servers.score(kA), 0.8 * 120 + 200);
}

TEST(LeastTime, LearnsNothingOfAnAttemptThatWasCutShort) {
  const LeastTimePicker picker({.measure = Measured::last_byte});
  TimedServers servers(picker, std::vector<ServerSpec>(2));
  servers.serve({100ms, 110ms});
  const auto before = servers.score(kA);
  servers.lease(kA);
  servers.end(kA, {.lasted = 1ms, .outcome = AttemptOutcome::cut});
  EXPECT_EQ(servers.score(kA), before);
}

TEST(LeastTime, DoesNotTakeAServerForFastThatFailsAtOnce) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(2));
  servers.serve(kB, 100ms);
  EXPECT_EQ(servers.pick(), kA);
  servers.lease(kA);
  servers.end(kA, {.lasted = 1us, .outcome = AttemptOutcome::failed});
  EXPECT_EQ(servers.pick(), kB);
}

TEST(LeastTime, TriesAServerNeverMeasuredWithOneRequestUntilItAnswers) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(3));
  servers.serve({20ms, 30ms});
  EXPECT_EQ(servers.pick(), kC);
  servers.lease(kC);
  for (int i = 0; i < 50; ++i) {
    const ServerIndex picked = servers.pick();
    ASSERT_NE(picked, kC);
    servers.lease(picked);
  }
  servers.end(kC, 10ms);
  EXPECT_EQ(servers.pick(), kC);
}

TEST(LeastTime, UsesAServerThatHasItsTrialIfThereIsNoOther) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(2));
  servers.serve(kA, 20ms);
  servers.lease(kB);
  const ServerIndex tried[] = {kA};
  EXPECT_EQ(servers.pick({.tried = tried}), kB);
}

TEST(LeastTime, TriesASlowServerAgainAfterHalfAMinute) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(2));
  servers.serve({5s, 10ms});
  int slow = 0;
  for (int second = 0; second < 90; ++second) {
    servers.now += 1s;
    const ServerIndex picked = servers.pick();
    slow += picked == kA ? 1 : 0;
    servers.serve(picked, picked == kA ? 5s : 10ms);
  }
  EXPECT_EQ(slow, 3);
  servers.now += 31s;
  servers.serve({1ms, 10ms});  // It has recovered, and what was before is forgotten.
  EXPECT_EQ(servers.pick(), kA);
}

TEST(LeastTime, SpreadsByLeasesWhileNothingIsKnown) {
  const LeastTimePicker picker;
  TimedServers servers(picker, {{.weight = 2}, {.weight = 1}});
  int counts[2] = {};
  for (int i = 0; i < 30; ++i) {
    const ServerIndex picked = servers.pick();
    servers.lease(picked);
    ++counts[to_number(picked)];
  }
  EXPECT_EQ(counts[0], 20);
  EXPECT_EQ(counts[1], 10);
}

TEST(LeastTime, CountsAServerLongerByItsScore) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(3));
  servers.serve({20ms, 25ms, 40ms});
  const std::atomic<float> scores[] = {0.5F, 0.0F, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_DOUBLE_EQ(*servers.score(kA, {.scores = scores}), 30);
  EXPECT_DOUBLE_EQ(*servers.score(kC, {.scores = scores}), 40);
  EXPECT_EQ(servers.pick({.scores = scores}), kB);
}

// Degraded, not dead: every fifth response is an error at once, and the others take longer.
TEST(LeastTime, MovesTrafficAwayFromADegradedServer) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(4));
  std::vector<ServerIndex> in_flight;
  int of_degraded = 0;
  for (int i = 0; i < 4000; ++i) {
    const ServerIndex picked = servers.pick();
    servers.lease(picked);
    in_flight.push_back(picked);
    servers.now += 1ms;
    if (i < 20) continue;
    const ServerIndex done = in_flight[i - 20];
    if (done != kA) {
      servers.end(done, 20ms);
      continue;
    }
    ++of_degraded;
    servers.end(done, {.lasted = 1ms, .outcome = AttemptOutcome::failed});
  }
  EXPECT_LT(of_degraded, 120);  // of 4,000; a quarter would be its share
}

TEST(LeastTime, ComparesSixteenOfMoreThan256Servers) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(1000));
  for (std::size_t i = 0; i < 1000; ++i) servers.serve(to_server(i), i < 100 ? 10ms : 100ms);
  int fast = 0;
  for (int i = 0; i < 1000; ++i) fast += to_number(servers.pick()) < 100 ? 1 : 0;
  EXPECT_NEAR(fast, 1000 * (1 - std::pow(0.9, 16)), 50);
}

TEST(LeastTime, IsExactUpTo256Servers) {
  const LeastTimePicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(256));
  for (std::size_t i = 0; i < 256; ++i) servers.serve(to_server(i), i == 201 ? 9ms : 10ms);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(servers.pick(), to_server(201));
}

}  // namespace
}  // namespace weir::balance
