#include "base/local_ref.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

struct Counted : LocalCounted {
  explicit Counted(int& alive_count) : alive(alive_count) { ++alive; }
  ~Counted() { --alive; }
  int& alive;
};

TEST(LocalRef, TheLastOneToLetGoDeletesTheObject) {
  int alive = 0;
  auto first = make_local<Counted>(alive);
  LocalRef<Counted> second = first;
  EXPECT_EQ(first, second);
  first.reset();
  EXPECT_FALSE(first);
  EXPECT_EQ(alive, 1);
  second = LocalRef<Counted>();
  EXPECT_EQ(alive, 0);
}

TEST(LocalRef, MovingLeavesTheCountAlone) {
  int alive = 0;
  auto first = make_local<Counted>(alive);
  const LocalRef<Counted> second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): what a moved one says is the test
  EXPECT_EQ(&second->alive, &alive);
}

TEST(LocalRef, AssigningItselfKeepsTheObject) {
  int alive = 0;
  auto first = make_local<Counted>(alive);
  first = *&first;
  EXPECT_EQ(alive, 1);
  EXPECT_TRUE(first);
}

TEST(LocalRef, AnObjectMayGiveOutFurtherReferencesToItself) {
  int alive = 0;
  auto first = make_local<Counted>(alive);
  LocalRef<Counted> second(*first);
  first.reset();
  EXPECT_EQ(alive, 1);
}

}  // namespace
}  // namespace weir
