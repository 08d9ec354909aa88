#include "proxy/worker_loads.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "base/random.h"

namespace weir::proxy {
namespace {

std::vector<std::uint32_t> loads_of(const WorkerLoads& loads, std::uint32_t workers) {
  std::vector<std::uint32_t> connections;
  for (std::uint32_t i = 0; i < workers; ++i) connections.push_back(loads.connections(i));
  return connections;
}

std::uint32_t sum_of(const std::vector<std::uint32_t>& connections) {
  std::uint32_t sum = 0;
  for (const std::uint32_t load : connections) sum += load;
  return sum;
}

TEST(WorkerLoads, ASingleWorkerServesAllItAccepts) {
  WorkerLoads loads(1);
  for (std::uint32_t i = 1; i <= 100; ++i) {
    EXPECT_EQ(loads.place(0), 0u);
    EXPECT_EQ(loads.connections(0), i);
  }
}

TEST(WorkerLoads, ADifferenceOfOneStays) {
  WorkerLoads loads(2);
  EXPECT_EQ(loads.place(0), 0u);
  // With this one there would be two here and none there.
  EXPECT_EQ(loads.place(0), 1u);
  EXPECT_EQ(loads.place(0), 0u);
  EXPECT_EQ(loads.place(1), 1u);
}

// A little unevenness is cheaper than passing on every other connection.
TEST(WorkerLoads, AnEighthOfTheMeanStays) {
  WorkerLoads loads(2);
  for (int i = 0; i < 800; ++i) {
    ASSERT_TRUE(loads.try_join(0));
    ASSERT_TRUE(loads.try_join(1));
  }
  std::uint32_t kept = 0;
  while (loads.place(0) == 0) ++kept;
  // 800 + n against 800, with a mean of 800 + n / 2: n is at most 106.
  EXPECT_EQ(kept, 106u);
}

TEST(WorkerLoads, TheLeastLoadedIsChosen) {
  WorkerLoads loads(4);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(loads.try_join(0));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(loads.try_join(1));
  ASSERT_TRUE(loads.try_join(2));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(loads.try_join(3));
  EXPECT_EQ(loads.place(0), 2u);
  EXPECT_EQ(loads.place(1), 2u);
}

// Whoever accepts, and whoever leaves meanwhile: just after a worker has taken a connection of its
// own, it is within the bound.
TEST(WorkerLoads, WhoTakesAConnectionIsWithinTheBound) {
  Random random(1);
  for (const std::uint32_t workers : {2u, 3u, 8u, 64u}) {
    WorkerLoads loads(workers);
    for (int step = 0; step < 5000; ++step) {
      const auto worker = random.below(workers);
      if (random.below(3) == 0) {
        if (loads.connections(worker) > 0) loads.leave(worker);
        continue;
      }
      const auto before = loads_of(loads, workers);
      const std::uint32_t chosen = loads.place(worker);
      const auto after = loads_of(loads, workers);
      ASSERT_EQ(after[chosen], before[chosen] + 1);
      ASSERT_EQ(sum_of(after), sum_of(before) + 1);
      const std::uint32_t least = std::ranges::min(before);
      if (chosen != worker) {
        ASSERT_EQ(before[chosen], least);
        continue;
      }
      const double mean = static_cast<double>(sum_of(after)) / workers;
      const double excess = after[worker] - least;
      ASSERT_TRUE(excess < 2 || excess <= mean / 8) << excess << " over a mean of " << mean;
    }
  }
}

// As the issue has it: 16 long-lived connections over 8 workers, wherever the kernel puts them.
TEST(WorkerLoads, FewConnectionsAreSpreadEvenly) {
  Random random(1);
  for (int run = 0; run < 1000; ++run) {
    const std::uint32_t accepting = 1 + random.below(8);
    WorkerLoads loads(8);
    for (int i = 0; i < 16; ++i) loads.place(random.below(accepting));
    const auto [least, most] = std::ranges::minmax(loads_of(loads, 8));
    ASSERT_LE(most - least, 2u);
  }
}

TEST(WorkerLoads, AWorkerClosesOnlyWithoutConnections) {
  WorkerLoads loads(2);
  ASSERT_TRUE(loads.try_join(0));
  EXPECT_FALSE(loads.try_close(0));
  EXPECT_TRUE(loads.try_join(0));
  loads.leave(0);
  loads.leave(0);
  EXPECT_TRUE(loads.try_close(0));
  EXPECT_TRUE(loads.try_close(0));
  EXPECT_FALSE(loads.try_join(0));
  EXPECT_EQ(loads.connections(0), 0u);
}

TEST(WorkerLoads, NothingIsPassedToAWorkerThatHasClosed) {
  WorkerLoads loads(3);
  ASSERT_TRUE(loads.try_close(1));
  for (int i = 0; i < 100; ++i) EXPECT_NE(loads.place(0), 1u);
  EXPECT_EQ(loads.connections(1), 0u);
  EXPECT_LE(loads.connections(0), loads.connections(2) + 7);
}

TEST(WorkerLoads, TheLastWorkerThatIsOpenServesAll) {
  WorkerLoads loads(3);
  ASSERT_TRUE(loads.try_close(0));
  ASSERT_TRUE(loads.try_close(2));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(loads.place(1), 1u);
}

// Threads that place, leave and close at once: a worker that has closed has no connection.
TEST(WorkerLoads, WhoHasClosedIsGivenNothingAnyMore) {
  constexpr std::uint32_t kWorkers = 4;
  for (int run = 0; run < 50; ++run) {
    WorkerLoads loads(kWorkers);
    std::vector<std::atomic<int>> served(kWorkers);
    std::vector<std::jthread> threads;
    for (std::uint32_t self = 1; self < kWorkers; ++self) {
      threads.emplace_back([&loads, &served, self] {
        for (int i = 0; i < 500; ++i) ++served[loads.place(self)];
      });
    }
    // Worker 0 has what others passed to it leave again, and closes when there is nothing.
    int left = 0;
    while (!loads.try_close(0)) {
      for (; loads.connections(0) > 0; ++left) loads.leave(0);
    }
    threads.clear();
    EXPECT_EQ(served[0], left);
    EXPECT_EQ(loads.connections(0), 0u);
  }
}

}  // namespace
}  // namespace weir::proxy
