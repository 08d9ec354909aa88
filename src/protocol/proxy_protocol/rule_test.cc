#include "protocol/proxy_protocol/rule.h"

#include <gtest/gtest.h>
#include <set>

namespace weir::proxy_protocol {
namespace {

TEST(ProxyProtocolRule, EveryRowSaysWhichSectionIsBroken) {
  std::set<std::string_view> words;
  for (int i = 1; i < static_cast<int>(Rule::count_); ++i) {
    const RuleRow& row = row_of(static_cast<Rule>(i));
    EXPECT_TRUE(words.insert(row.word).second) << row.word;
    EXPECT_NE(row.sentence.find("(PROXY protocol 2"), std::string_view::npos) << row.word;
    EXPECT_TRUE(row.sentence.ends_with(").")) << row.word;
  }
}

}  // namespace
}  // namespace weir::proxy_protocol
