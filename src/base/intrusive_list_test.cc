#include "base/intrusive_list.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

struct Element : Link {
  explicit Element(int value) : value(value) {}
  int value;
};

TEST(IntrusiveList, KeepsTheOrderOfInsertion) {
  Element a(1), b(2), c(3);
  IntrusiveList<Element> list;
  list.push_back(b);
  list.push_back(c);
  list.push_front(a);
  EXPECT_EQ(list.pop_front().value, 1);
  EXPECT_EQ(list.pop_front().value, 2);
  EXPECT_EQ(list.pop_front().value, 3);
  EXPECT_TRUE(list.is_empty());
}

TEST(IntrusiveList, AnElementLeavesWhenItIsDestroyed) {
  IntrusiveList<Element> list;
  Element stays(1);
  list.push_back(stays);
  {
    Element goes(2);
    list.push_back(goes);
  }
  EXPECT_EQ(&list.front(), &stays);
  EXPECT_EQ(&list.back(), &stays);
}

TEST(IntrusiveList, TheVisitorMayUnlinkWhatItVisits) {
  Element a(1), b(2);
  IntrusiveList<Element> list;
  list.push_back(a);
  list.push_back(b);
  int seen = 0;
  list.for_each([&](Element& element) {
    seen += element.value;
    element.unlink();
  });
  EXPECT_EQ(seen, 3);
  EXPECT_TRUE(list.is_empty());
}

}  // namespace
}  // namespace weir
