#include "filter/status_range.h"

#include <gtest/gtest.h>

namespace weir::filter {
namespace {

TEST(StatusRange, IsOneStatusAClassOrARange) {
  struct Case {
    std::string_view text;
    std::uint16_t first;
    std::uint16_t last;
  };
  constexpr Case kCases[] = {
      {"200", 200, 200}, {"4xx", 400, 499}, {"500-599", 500, 599}, {"404-404", 404, 404}};
  for (const auto& [text, first, last] : kCases) {
    StatusRange range;
    ASSERT_TRUE(parse_scalar(text, range)) << text;
    EXPECT_FALSE(range.contains(first - 1)) << text;
    EXPECT_TRUE(range.contains(first)) << text;
    EXPECT_TRUE(range.contains(last)) << text;
    EXPECT_FALSE(range.contains(last + 1)) << text;
    StatusRange read_back;
    ASSERT_TRUE(parse_scalar(print_scalar(range), read_back)) << text;
    EXPECT_EQ(read_back.first, first);
    EXPECT_EQ(read_back.last, last);
  }
}

TEST(StatusRange, IsNothingElse) {
  for (const std::string_view text : {"", "99", "600", "6xx", "0xx", "4x", "4XX", "4xx-5xx", "200-",
                                      "-200", "200-199", "200-600", "200 - 299", "+200"}) {
    StatusRange range;
    EXPECT_FALSE(parse_scalar(text, range)) << text;
  }
}

}  // namespace
}  // namespace weir::filter
