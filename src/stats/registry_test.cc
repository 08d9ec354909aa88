#include "stats/registry.h"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>

namespace weir::stats {
namespace {

using namespace std::chrono_literals;

TEST(Registry, GivesTheSameObjectForTheSameNameWhileItIsHeld) {
  Registry registry(2);
  const auto first = registry.server("users", "u1");
  first->of(1).attempts.add(3);
  EXPECT_EQ(registry.server("users", "u1"), first);
  EXPECT_NE(registry.server("users", "u2"), first);
  EXPECT_NE(registry.server("orders", "u1"), first);
}

TEST(Registry, ForgetsAnObjectThatNobodyHolds) {
  Registry registry(1);
  auto held = registry.backend("users");
  held->of(0).requests.add();
  held.reset();
  EXPECT_TRUE(registry.objects(MetricScope::backend).empty());
  EXPECT_EQ(registry.backend("users")->sum(&BackendCells::requests), 0u);
}

TEST(Registry, AReaderKeepsWhatItReads) {
  Registry registry(1);
  auto held = registry.listener("web");
  const auto views = registry.objects(MetricScope::listener);
  held.reset();
  ASSERT_EQ(views.size(), 1u);
  EXPECT_EQ(views[0].labels, "listener=\"web\"");
}

TEST(Registry, GivesEachWorkerItsOwnCacheLines) {
  Registry registry(2);
  const auto server = registry.server("users", "u1");
  const auto address = [&](std::size_t worker) {
    return reinterpret_cast<std::uintptr_t>(&server->of(worker));
  };
  EXPECT_NE(address(0), address(1));
  EXPECT_EQ(address(0) % kCacheLineBytes, 0u);
  EXPECT_EQ(address(1) % kCacheLineBytes, 0u);
}

TEST(Registry, CountsUnderOtherWhatIsTooMuch) {
  Registry registry(1, 2);
  const auto a = registry.backend("a");
  auto b = registry.backend("b");
  const auto c = registry.backend("c");
  const auto d = registry.backend("d");
  EXPECT_EQ(c, d);
  EXPECT_EQ(c->labels(), "backend=\"(other)\"");
  EXPECT_EQ(registry.backend("a"), a);
  EXPECT_EQ(registry.objects_refused(), 2u);
  EXPECT_EQ(registry.objects(MetricScope::backend).size(), 3u);
  b.reset();
  EXPECT_EQ(registry.listener("web")->labels(), "listener=\"web\"") << "b made room";
  EXPECT_EQ(registry.objects_refused(), 2u);
}

TEST(Registry, EscapesLabelValues) {
  EXPECT_EQ(backend_labels("a\"b\\c\nd"), "backend=\"a\\\"b\\\\c\\nd\"");
  EXPECT_EQ(group_labels("x", 2, "y"), "listener=\"x\",route=\"2\",group=\"y\"");
  EXPECT_EQ(server_labels("x", "y"), "backend=\"x\",server=\"y\"");
}

TEST(Registry, MergesWhatAllWorkersCountWhileTheyCount) {
  constexpr std::size_t kWorkers = 3;
  constexpr std::uint64_t kEach = 20'000;
  Registry registry(kWorkers);
  const auto server = registry.server("users", "u1");
  std::atomic<std::size_t> running = kWorkers;
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    workers.emplace_back([&, i] {
      ServerCells& cells = server->of(i);
      for (std::uint64_t n = 0; n < kEach; ++n) {
        cells.attempts.add();
        cells.response_head.record(1ms);
        registry.worker(i).errors.count(make_error(ErrorKind::server_reset, Side::server));
      }
      running.fetch_sub(1);
    });
  }
  std::uint64_t seen = 0;
  while (running.load() > 0) {
    const std::uint64_t now = server->sum(&ServerCells::attempts);
    EXPECT_GE(now, seen) << "a counter never goes back";
    seen = now;
    registry.server("users", "other").reset();
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(server->sum(&ServerCells::attempts), kWorkers * kEach);
  EXPECT_EQ(server->sum(&ServerCells::response_head).count(), kWorkers * kEach);
}

}  // namespace
}  // namespace weir::stats
