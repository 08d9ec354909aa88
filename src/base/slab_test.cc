#include "base/slab.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "base/random.h"

namespace weir {
namespace {

struct alignas(64) Thing {
  explicit Thing(std::uint32_t number) : number(number) { ++live; }
  ~Thing() { --live; }
  std::uint32_t number;
  static inline std::size_t live = 0;
};

TEST(Slab, ConstructsAndDestroysEachObjectOnce) {
  Slab<Thing> slab;
  Thing& thing = slab.make(7u);
  EXPECT_EQ(thing.number, 7u);
  EXPECT_EQ(Thing::live, 1u);
  EXPECT_EQ(slab.live(), 1u);
  slab.destroy(thing);
  EXPECT_EQ(Thing::live, 0u);
  EXPECT_EQ(slab.live(), 0u);
}

#if !WEIR_POISON
TEST(Slab, ReusesThePlaceOfTheLastDestroyedObject) {
  Slab<Thing> slab;
  Thing& first = slab.make(1u);
  slab.destroy(first);
  Thing& second = slab.make(2u);
  EXPECT_EQ(&first, &second);
  slab.destroy(second);
}
#endif

TEST(Slab, ObjectsKeepAddressAndContentWhileOthersComeAndGo) {
  Slab<Thing> slab;
  Random random(1);
  std::vector<Thing*> things;
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t step = 0; step < 5000; ++step) {
    if (!things.empty() && random.below(5) < 2) {
      const std::uint32_t at = random.below(static_cast<std::uint32_t>(things.size()));
      slab.destroy(*things[at]);
      things[at] = things.back();
      numbers[at] = numbers.back();
      things.pop_back();
      numbers.pop_back();
    } else {
      things.push_back(&slab.make(step));
      numbers.push_back(step);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(things.back()) % alignof(Thing), 0u);
    }
    ASSERT_EQ(slab.live(), things.size());
  }
  for (std::size_t i = 0; i < things.size(); ++i) EXPECT_EQ(things[i]->number, numbers[i]);
  for (Thing* thing : things) slab.destroy(*thing);
}

}  // namespace
}  // namespace weir
