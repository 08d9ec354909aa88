#include "base/arena.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/random.h"

namespace weir {
namespace {

TEST(Arena, TakesNoBufferBeforeItIsUsed) {
  BufferPool pool(1 << 20);
  Arena arena(pool);
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(Arena, GivesAlignedPlacesThatDoNotOverlap) {
  BufferPool pool(1 << 20);
  Arena arena(pool);
  Random random(1);
  std::vector<std::span<std::uint8_t>> places;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const std::size_t bytes = 1 + random.below(200);
    const std::size_t alignment = std::size_t{1} << random.below(5);
    auto* place = static_cast<std::uint8_t*>(arena.allocate(bytes, alignment));
    ASSERT_NE(place, nullptr);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(place) % alignment, 0u);
    places.emplace_back(place, bytes);
    std::memset(place, static_cast<int>(i % 251), bytes);
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (const std::uint8_t byte : places[i]) ASSERT_EQ(byte, i % 251);
  }
}

TEST(Arena, GrowsByChunksAndReleasesAllOfThem) {
  BufferPool pool(1 << 20);
  Arena arena(pool);
  for (int i = 0; i < 10; ++i) ASSERT_NE(arena.allocate(Arena::bytes_max(), 8), nullptr);
  const std::size_t full = pool.bytes_in_use();
  arena.release();
  EXPECT_EQ(pool.bytes_in_use(), 0u);
  ASSERT_NE(arena.allocate(1, 1), nullptr);
  EXPECT_EQ(pool.bytes_in_use() * 10, full);
}

TEST(Arena, RefusesWhatNoChunkHolds) {
  BufferPool pool(1 << 20);
  Arena arena(pool);
  EXPECT_EQ(arena.allocate(Arena::bytes_max() + 1, 1), nullptr);
  EXPECT_NE(arena.allocate(Arena::bytes_max(), 16), nullptr);
  EXPECT_NE(arena.allocate(1, 1), nullptr);
}

TEST(Arena, RefusesSizesThatWouldWrapAround) {
  BufferPool pool(1 << 20);
  Arena arena(pool);
  ASSERT_NE(arena.allocate(1, 1), nullptr);
  EXPECT_EQ(arena.allocate(SIZE_MAX, 1), nullptr);
  EXPECT_EQ(arena.allocate(SIZE_MAX - 64, 16), nullptr);
  EXPECT_TRUE(arena.allocate_array<std::uint64_t>(SIZE_MAX / 8 + 2).empty());
}

TEST(Arena, GivesNothingWhenThePoolIsExhausted) {
  BufferPool pool(4 << 10);
  Arena arena(pool);
  EXPECT_EQ(arena.allocate(1, 1), nullptr);
  EXPECT_EQ(arena.make<int>(1), nullptr);
  EXPECT_TRUE(arena.allocate_array<int>(3).empty());
  EXPECT_EQ(arena.copy("text").data(), nullptr);
}

TEST(Arena, CopiesOutliveTheirSource) {
  BufferPool pool(1 << 20);
  Arena arena(pool);
  std::string source = "Host";
  const std::string_view copy = arena.copy(source);
  source = "gone";
  EXPECT_EQ(copy, "Host");
  EXPECT_EQ(arena.copy({}).size(), 0u);
  EXPECT_EQ(*arena.make<int>(7), 7);
}

}  // namespace
}  // namespace weir
