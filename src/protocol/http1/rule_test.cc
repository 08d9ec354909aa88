#include "protocol/http1/rule.h"

#include <gtest/gtest.h>
#include <set>
#include <string>

namespace weir::http1 {
namespace {

TEST(Rule, EveryRowSaysWhichSectionIsBroken) {
  std::set<std::string_view> words;
  for (int i = 1; i < static_cast<int>(Rule::count_); ++i) {
    const RuleRow& row = row_of(static_cast<Rule>(i));
    EXPECT_TRUE(words.insert(row.word).second) << row.word;
    EXPECT_NE(row.sentence.find("(RFC 9"), std::string_view::npos) << row.word;
    EXPECT_TRUE(row.sentence.ends_with(").")) << row.word;
    EXPECT_FALSE(row.request_kind == ErrorKind::none && row.response_kind == ErrorKind::none);
  }
}

TEST(Rule, IsFoundAgainInTheErrorItMade) {
  for (int i = 1; i < static_cast<int>(Rule::count_); ++i) {
    const auto rule = static_cast<Rule>(i);
    if (row_of(rule).request_kind != ErrorKind::none) {
      EXPECT_EQ(request_error(rule).kind, row_of(rule).request_kind);
      EXPECT_EQ(find_rule(request_error(rule)), rule);
    }
    if (row_of(rule).response_kind != ErrorKind::none) {
      EXPECT_EQ(response_error(rule).kind, row_of(rule).response_kind);
      EXPECT_EQ(find_rule(response_error(rule)), rule);
    }
  }
}

TEST(Rule, IsNoneInErrorsOfOthers) {
  Error error = make_error(ErrorKind::connect_refused);
  error.detail = static_cast<std::uint8_t>(Rule::bare_lf);
  EXPECT_EQ(find_rule(error), Rule::none);
  error = make_error(ErrorKind::bad_request);
  error.detail = 255;
  EXPECT_EQ(find_rule(error), Rule::none);
  EXPECT_EQ(find_rule(make_error(ErrorKind::bad_request)), Rule::none);
}

}  // namespace
}  // namespace weir::http1
