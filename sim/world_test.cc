#include "sim/world.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace weir::sim {
namespace {

std::string trace_of(std::uint64_t seed) {
  std::string text;
  Trace trace;
  trace.write_to(&text);
  World world(seed, trace);
  EXPECT_EQ(world.run(), "") << "seed " << seed;
  return text;
}

TEST(World, ASeedIsReplayedToTheByte) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const std::string first = trace_of(seed);
    EXPECT_GT(first.size(), 1000u);
    EXPECT_EQ(trace_of(seed), first);
  }
}

TEST(World, AnotherSeedIsAnotherStory) { EXPECT_NE(trace_of(1), trace_of(2)); }

TEST(World, MostRequestsAreAnsweredWhileManyThingsChange) {
  std::size_t requests = 0;
  std::size_t answered = 0;
  std::size_t refused = 0;
  std::size_t changes = 0;
  std::uint64_t waits = 0;
  std::size_t streams_most = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Trace trace;
    World world(seed, trace);
    ASSERT_EQ(world.run(), "") << "seed " << seed;
    requests += world.ledger().requests();
    answered += world.ledger().answered();
    refused += world.ledger().refused();
    changes += world.changes_made();
    waits += world.waits();
    streams_most = std::max(streams_most, world.streams_most());
  }
  EXPECT_GT(requests, 1000u);
  EXPECT_GT(answered, requests / 2);
  EXPECT_GT(refused, 0u);
  EXPECT_GT(changes, 50u);
  EXPECT_GT(waits, 50u);
  EXPECT_GT(streams_most, 50u);
}

}  // namespace
}  // namespace weir::sim
