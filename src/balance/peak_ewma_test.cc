#include "balance/peak_ewma.h"

#include <cmath>
#include <gtest/gtest.h>

#include "balance/time_picker_test_support.h"

namespace weir::balance {
namespace {

using namespace std::chrono_literals;
using test::TimedServers;

constexpr ServerIndex kA = to_server(0);
constexpr ServerIndex kB = to_server(1);

TEST(PeakEwma, BelievesASlowerResponseAtOnce) {
  const PeakEwmaPicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(2));
  for (int i = 0; i < 100; ++i) servers.serve({10ms, 20ms});
  EXPECT_EQ(servers.pick(), kA);
  servers.serve(kA, 500ms);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 500);
  EXPECT_EQ(servers.pick(), kB);
}

TEST(PeakEwma, ForgetsASlowResponseWithTheDecay) {
  const PeakEwmaPicker picker({.decay = 2s});
  TimedServers servers(picker, std::vector<ServerSpec>(1));
  servers.serve(kA, 500ms);
  servers.now += 2s;
  EXPECT_NEAR(*servers.score(kA), 500 * std::exp(-1), 1e-9);
  servers.serve(kA, 100ms);
  EXPECT_NEAR(*servers.score(kA), 500 * std::exp(-1) + 100 * (1 - std::exp(-1)), 1e-9);
}

TEST(PeakEwma, SettlesAtTheTimeThatAServerTakes) {
  const PeakEwmaPicker picker({.decay = 1s});
  TimedServers servers(picker, std::vector<ServerSpec>(1));
  servers.serve(kA, 3s);
  for (int i = 0; i < 2000; ++i) {
    servers.now += 10ms;
    servers.serve(kA, 25ms);
  }
  EXPECT_NEAR(*servers.score(kA), 25, 1e-4);
}

TEST(PeakEwma, TriesASlowServerAgainWhenItsTimeHasFaded) {
  const PeakEwmaPicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(2));
  servers.serve({1s, 100ms});
  int until = 0;
  while (servers.pick() != kA) {
    servers.now += 1s;
    servers.serve(kB, 100ms);
    ++until;
  }
  EXPECT_EQ(until, 24);  // 10 s * ln 10, and the next second
}

TEST(PeakEwma, KeepsItsNumbersOverAYear) {
  const PeakEwmaPicker picker({.decay = 1s});
  TimedServers servers(picker, std::vector<ServerSpec>(2));
  for (int day = 0; day < 365; ++day) {
    servers.now += 24h;
    servers.serve({20ms, 10ms});
    ASSERT_NEAR(*servers.score(kA), 20, 1e-9);
    ASSERT_EQ(servers.pick(), kB);
  }
  for (int i = 0; i < 100'000; ++i) {
    servers.now += 100ms;
    servers.serve({20ms, 10ms});
    ASSERT_NEAR(*servers.score(kA), 20, 1e-6);
  }
}

TEST(PeakEwma, CountsLeasesAndWeights) {
  const PeakEwmaPicker picker;
  TimedServers servers(picker, {{.weight = 2}, {.weight = 1}});
  servers.serve({10ms, 10ms});
  servers.lease(kA);
  servers.lease(kA);
  EXPECT_DOUBLE_EQ(*servers.score(kA), 15);
  EXPECT_DOUBLE_EQ(*servers.score(kB), 10);
}

TEST(PeakEwma, CountsAFailureAsTwiceTheTime) {
  const PeakEwmaPicker picker;
  TimedServers servers(picker, std::vector<ServerSpec>(1));
  servers.serve(kA, 10ms);
  servers.lease(kA);
  servers.end(kA, {.lasted = 1ms, .outcome = AttemptOutcome::failed});
  EXPECT_DOUBLE_EQ(*servers.score(kA), 20);
}

}  // namespace
}  // namespace weir::balance
