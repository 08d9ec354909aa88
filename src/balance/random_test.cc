#include "balance/random.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace weir::balance {
namespace {

constexpr int kPicks = 100'000;

std::vector<int> counts_of(std::span<const ServerSpec> servers, std::uint64_t seed) {
  const RandomPicker picker;
  const auto table = picker.build(servers, ServerSet::all(servers.size()));
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  Random random(seed);
  std::vector<int> counts(servers.size());
  for (int i = 0; i < kPicks; ++i) {
    ++counts[to_number(picker.pick(*table, *state, {.random = random.next()}))];
  }
  return counts;
}

TEST(RandomPicker, GivesEqualServersEqualShares) {
  const std::vector<ServerSpec> servers(10);
  for (const int count : counts_of(servers, 1)) EXPECT_NEAR(count, kPicks / 10.0, 500);
}

TEST(RandomPicker, GivesEachServerTheShareOfItsWeight) {
  const ServerSpec servers[] = {{.weight = 5}, {.weight = 3}, {.weight = 0}, {.weight = 2}};
  const auto counts = counts_of(servers, 2);
  EXPECT_NEAR(counts[0], 50'000, 800);
  EXPECT_NEAR(counts[1], 30'000, 800);
  EXPECT_EQ(counts[2], 0);
  EXPECT_NEAR(counts[3], 20'000, 800);
}

TEST(RandomPicker, PicksWithoutRegardToThePickBefore) {
  const std::vector<ServerSpec> servers(4);
  const RandomPicker picker;
  const auto table = picker.build(servers, ServerSet::all(4));
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  Random random(3);
  int pairs[4][4] = {};
  std::size_t before = 0;
  for (int i = 0; i < kPicks; ++i) {
    const std::size_t now = to_number(picker.pick(*table, *state, {.random = random.next()}));
    ++pairs[before][now];
    before = now;
  }
  for (const auto& row : pairs) {
    for (const int count : row) EXPECT_NEAR(count, kPicks / 16.0, 400);
  }
}

}  // namespace
}  // namespace weir::balance
