#include "config/problem.h"

#include <gtest/gtest.h>
#include <string>

#include "config/node.h"

namespace weir::config {
namespace {

TEST(Problems, AreSortedAndComeOnce) {
  Problems problems;
  problems.error({2, 1}, "b");
  problems.warning({1, 5}, "a");
  problems.error({2, 1}, "b");
  const std::vector<Problem> sorted = problems.sorted();
  ASSERT_EQ(sorted.size(), 2u);
  EXPECT_EQ(sorted[0].message, "a");
  EXPECT_EQ(sorted[1].message, "b");
}

TEST(Problems, AWarningIsNoError) {
  Problems problems;
  problems.warning({1, 1}, "odd");
  EXPECT_FALSE(problems.has_errors());
  EXPECT_FALSE(problems.is_empty());
  EXPECT_EQ(print(problems, {"f", "text", {}}), "f:1:1: warning: odd\ntext\n^\n");
}

TEST(Problems, TheEndOfTheTextIsAPlace) {
  Problems problems;
  problems.error({1, 5}, "more was expected");
  problems.error({2, 1}, "and here");
  EXPECT_EQ(print(problems, {"f", "text\n", {}}),
            "f:1:5: error: more was expected\ntext\n    ^\n"
            "f:2:1: error: and here\n\n^\n");
}

TEST(Problems, OnlyAPartOfALongLineIsShown) {
  std::string line(100'000, 'x');
  line[49'999] = '!';
  Problems problems;
  problems.error({1, 50'000}, "here");
  EXPECT_EQ(print(problems, {"f", line, {}}), "f:1:50000: error: here\n" + std::string(80, 'x') +
                                                  "!" + std::string(79, 'x') + "\n" +
                                                  std::string(80, ' ') + "^\n");
}

}  // namespace
}  // namespace weir::config
