#include "base/shared_counts.h"

#include <gtest/gtest.h>
#include <map>
#include <thread>
#include <vector>

#include "base/random.h"

namespace weir {
namespace {

using Outcome = SharedCounts::Outcome;
constexpr std::uint64_t kSeed = 7;

TEST(SharedCounts, AKeyHasAtMostItsLimitAndOthersTheirs) {
  SharedCounts counts(64, kSeed);
  std::vector<SharedCounts::Hold> holds;
  for (int i = 0; i < 3; ++i) {
    auto [outcome, hold] = counts.try_add({1, 2}, 3);
    EXPECT_EQ(outcome, Outcome::counted);
    holds.push_back(std::move(hold));
  }
  EXPECT_EQ(counts.try_add({1, 2}, 3).first, Outcome::at_limit);
  EXPECT_EQ(counts.try_add({2, 1}, 3).first, Outcome::counted);
  holds.pop_back();
  EXPECT_EQ(counts.try_add({1, 2}, 3).first, Outcome::counted);
}

TEST(SharedCounts, AHoldThatIsMovedIsCountedOnce) {
  SharedCounts counts(8, kSeed);
  auto [outcome, hold] = counts.try_add({1, 1}, 1);
  SharedCounts::Hold moved = std::move(hold);
  EXPECT_EQ(counts.try_add({1, 1}, 1).first, Outcome::at_limit);
  moved = SharedCounts::Hold();
  EXPECT_EQ(counts.try_add({1, 1}, 1).first, Outcome::counted);
}

TEST(SharedCounts, WhoFindsNoRoomIsNotCountedUntilThereIsSome) {
  SharedCounts counts(8, kSeed);  // one bucket
  std::vector<SharedCounts::Hold> holds;
  for (std::uint64_t key = 0; key < 8; ++key) {
    holds.push_back(counts.try_add({key, 0}, 1).second);
  }
  EXPECT_EQ(counts.try_add({8, 0}, 1).first, Outcome::no_room);
  EXPECT_EQ(counts.try_add({7, 0}, 1).first, Outcome::at_limit);
  EXPECT_EQ(counts.try_add({7, 0}, 2).first, Outcome::counted);
  holds.pop_back();
  EXPECT_EQ(counts.try_add({8, 0}, 1).first, Outcome::counted);
}

TEST(SharedCounts, AgreesWithAMapOnRandomSteps) {
  constexpr std::uint32_t kMax = 4;
  Random random(11);
  SharedCounts counts(1024, kSeed);
  std::map<std::uint64_t, std::vector<SharedCounts::Hold>> expected;
  for (int step = 0; step < 20'000; ++step) {
    auto& holds = expected[random.below(100)];
    const std::uint64_t key = random.below(100);
    auto& of_key = expected[key];
    if (random.below(2) == 0 && !holds.empty()) {
      holds.pop_back();
      continue;
    }
    auto [outcome, hold] = counts.try_add({key, key}, kMax);
    ASSERT_EQ(outcome, of_key.size() == kMax ? Outcome::at_limit : Outcome::counted);
    if (outcome == Outcome::counted) of_key.push_back(std::move(hold));
  }
}

TEST(SharedCounts, ThreadsTogetherNeverExceedTheLimit) {
  constexpr std::uint32_t kMax = 3;
  constexpr int kThreads = 4;
  SharedCounts counts(8, kSeed);
  std::array<std::atomic<int>, 2> held{};
  std::atomic<bool> exceeded = false;
  const auto run = [&](std::uint64_t seed) {
    Random random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const std::uint64_t key = random.below(2);
      const auto [outcome, hold] = counts.try_add({key, 0}, kMax);
      if (outcome != Outcome::counted) continue;
      if (held[key].fetch_add(1) >= static_cast<int>(kMax)) exceeded = true;
      held[key].fetch_sub(1);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(run, i + 1);
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  for (std::uint64_t key = 0; key < 2; ++key) {
    EXPECT_EQ(counts.try_add({key, 0}, 1).first, Outcome::counted);
  }
}

}  // namespace
}  // namespace weir
