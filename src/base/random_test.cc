#include "base/random.h"

#include <array>
#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Random, RepeatsForTheSameSeedOnly) {
  Random first(1), same(1), other(2);
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t number = first.next();
    EXPECT_EQ(number, same.next());
    equal += number == other.next() ? 1 : 0;
  }
  EXPECT_EQ(equal, 0);
}

TEST(Random, StaysBelowTheBound) {
  Random random(3);
  for (const std::uint32_t bound : {1u, 2u, 3u, 1000u, 0x80000001u, 0xffffffffu}) {
    for (int i = 0; i < 1000; ++i) ASSERT_LT(random.below(bound), bound);
  }
}

// 160,000 draws from 16: each has an expected 10,000 with a deviation of 97.
TEST(Random, DrawsEachNumberEquallyOften) {
  Random random(4);
  std::array<int, 16> drawn{};
  for (int i = 0; i < 160'000; ++i) ++drawn[random.below(16)];
  for (const int count : drawn) EXPECT_NEAR(count, 10'000, 500);
}

}  // namespace
}  // namespace weir
