#include "config/text.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace weir::config {
namespace {

std::string_view nearest(std::string_view name) {
  Nearest nearest(name);
  for (const char* candidate : {"address", "name", "weight", "path_prefix", "tls"}) {
    nearest.consider(candidate);
  }
  return nearest.best();
}

TEST(Nearest, FindsMissingExtraWrongAndSwappedLetters) {
  EXPECT_EQ(nearest("adress"), "address");
  EXPECT_EQ(nearest("addresss"), "address");
  EXPECT_EQ(nearest("wait"), "");
  EXPECT_EQ(nearest("nane"), "name");
  EXPECT_EQ(nearest("wieght"), "weight");
  EXPECT_EQ(nearest("path-prefix"), "path_prefix");
  EXPECT_EQ(nearest("tsl"), "tls");
}

TEST(Nearest, GivesNothingRatherThanAGuess) {
  EXPECT_EQ(nearest("speed"), "");
  EXPECT_EQ(nearest(""), "");
  EXPECT_EQ(nearest("x"), "");
  EXPECT_EQ(nearest(std::string(1'000'000, 'a')), "");
}

TEST(Text, CodePointLengthRefusesWhatIsNotUtf8OrNotAllowed) {
  EXPECT_EQ(code_point_length("a"), 1u);
  EXPECT_EQ(code_point_length("\xc3\xa4"), 2u);
  EXPECT_EQ(code_point_length("\xe2\x82\xac"), 3u);
  EXPECT_EQ(code_point_length("\xf0\x9f\x98\x80"), 4u);
  EXPECT_EQ(code_point_length("\t"), 1u);
  using namespace std::string_view_literals;
  for (const std::string_view bad :
       {""sv, "\0"sv, "\x04"sv, "\r"sv, "\x1b"sv, "\x7f"sv, "\xc2\x9b"sv, "\x80"sv, "\xc0\x80"sv,
        "\xc3"sv, "\xc3("sv, "\xe0\x80\x80"sv, "\xed\xa0\x80"sv, "\xf4\x90\x80\x80"sv,
        "\xf8\x88\x80\x80\x80"sv, "\xff"sv}) {
    EXPECT_EQ(code_point_length(bad), 0u);
  }
}

TEST(Text, QuotesAreShortAndPrintable) {
  EXPECT_EQ(quote("a"), "'a'");
  EXPECT_EQ(quote("a\nb\x1b[m\xff"), "'a?b?[m?'");
  EXPECT_EQ(quote(std::string(100, 'x')), "'" + std::string(60, 'x') + "...'");
}

}  // namespace
}  // namespace weir::config
