#include "base/buffer_pool.h"

#include <bit>
#include <gtest/gtest.h>
#include <vector>

#include "base/random.h"

namespace weir {
namespace {

constexpr std::size_t kKiB = 1024;

TEST(BufferPool, GivesTheSmallestPowerOfTwoThatHolds) {
  BufferPool pool(4 * BufferPool::kLargest);
  EXPECT_EQ(pool.take(1).capacity(), BufferPool::kSmallest);
  for (std::size_t size = BufferPool::kSmallest; size < BufferPool::kLargest; size *= 2) {
    EXPECT_EQ(pool.take(size).capacity(), size);
    EXPECT_EQ(pool.take(size + 1).capacity(), 2 * size);
  }
  EXPECT_EQ(pool.take(BufferPool::kLargest).capacity(), BufferPool::kLargest);
}

TEST(BufferPool, CountsWhatIsInUseByCapacity) {
  BufferPool pool(64 * kKiB);
  Buffer small = pool.take(100);
  Buffer large = pool.take(9 * kKiB);
  EXPECT_EQ(pool.bytes_in_use(), 20 * kKiB);
  small.release();
  EXPECT_EQ(pool.bytes_in_use(), 16 * kKiB);
  small.release();
  EXPECT_EQ(pool.bytes_in_use(), 16 * kKiB);
}

TEST(BufferPool, GivesAnEmptyBufferAtItsLimitAndCountsIt) {
  BufferPool pool(12 * kKiB);
  Buffer first = pool.take(8 * kKiB);
  Buffer second = pool.take(4 * kKiB);
  Buffer third = pool.take(1);
  EXPECT_FALSE(third);
  EXPECT_EQ(third.capacity(), 0u);
  EXPECT_EQ(pool.exhausted_count(), 1u);
  second.release();
  EXPECT_TRUE(pool.take(1));
  EXPECT_EQ(pool.exhausted_count(), 1u);
}

TEST(BufferPool, FreeBuffersOfOneClassMakeRoomForAnother) {
  BufferPool pool(16 * kKiB);
  {
    std::vector<Buffer> held;
    for (int i = 0; i < 4; ++i) held.push_back(pool.take(4 * kKiB));
  }
  EXPECT_TRUE(pool.take(16 * kKiB));
  EXPECT_TRUE(pool.take(4 * kKiB));
  EXPECT_EQ(pool.exhausted_count(), 0u);
}

TEST(BufferPool, GivesTheLastReturnedBufferFirst) {
  BufferPool pool(64 * kKiB);
  Buffer first = pool.take(1);
  Buffer second = pool.take(1);
  char* const last = first.data();
  second.release();
  first.release();
  EXPECT_EQ(pool.take(1).data(), last);
}

TEST(BufferPool, AMovedBufferIsGivenBackOnce) {
  BufferPool pool(64 * kKiB);
  Buffer first = pool.take(1);
  Buffer second = std::move(first);
  EXPECT_FALSE(first);
  first = pool.take(1);
  second = std::move(first);
  EXPECT_EQ(pool.bytes_in_use(), 4 * kKiB);
  second.release();
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

// Whatever is taken and given back: what is in use never exceeds the limit, buffers never overlap,
// and take() fails only when there truly is no room.
TEST(BufferPool, HoldsItsLimitUnderAnySequence) {
  constexpr std::size_t kLimit = 2048 * kKiB;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    BufferPool pool(kLimit);
    std::vector<Buffer> held;
    std::size_t in_use = 0;
    for (int step = 0; step < 1000; ++step) {
      if (!held.empty() && random.below(2) == 0) {
        std::swap(held[random.below(static_cast<std::uint32_t>(held.size()))], held.back());
        in_use -= held.back().capacity();
        held.pop_back();
      } else {
        const std::size_t bytes = 1 + random.below(BufferPool::kLargest);
        Buffer buffer = pool.take(bytes);
        const std::size_t capacity = std::max(BufferPool::kSmallest, std::bit_ceil(bytes));
        ASSERT_EQ(static_cast<bool>(buffer), in_use + capacity <= kLimit) << "seed " << seed;
        if (!buffer) continue;
        in_use += capacity;
        for (const Buffer& other : held) {
          ASSERT_TRUE(other.data() + other.capacity() <= buffer.data() ||
                      buffer.data() + buffer.capacity() <= other.data());
        }
        held.push_back(std::move(buffer));
      }
      ASSERT_EQ(pool.bytes_in_use(), in_use);
    }
  }
}

}  // namespace
}  // namespace weir
