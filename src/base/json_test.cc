#include "base/json.h"

#include <gtest/gtest.h>
#include <limits>

#include "base/random.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

std::string json(std::string_view bytes) {
  std::string out;
  append_json_string(out, bytes);
  return out;
}

template <class Number>
std::string number(Number value) {
  std::string out;
  append_number(out, value);
  return out;
}

std::string seconds(Duration duration, int decimals) {
  std::string out;
  append_seconds(out, duration, decimals);
  return out;
}

TEST(JsonString, LeavesPlainTextAndWellFormedUtf8AsItIs) {
  EXPECT_EQ(json(""), "\"\"");
  EXPECT_EQ(json("GET /a?b=c"), "\"GET /a?b=c\"");
  EXPECT_EQ(json("\u00e9 \u20ac \U0001f600"), "\"\u00e9 \u20ac \U0001f600\"");
}

TEST(JsonString, EscapesQuotesBackslashesAndControlBytes) {
  EXPECT_EQ(json("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json("\n\r\t\0\x1b\x7f"s), R"("\n\r\t\u0000\u001b\u007f")");
}

TEST(JsonString, ReplacesEachByteThatIsNotUtf8) {
  constexpr const char* kOne = "\"\xef\xbf\xbd\"";
  constexpr const char* kTwo = "\"\xef\xbf\xbd\xef\xbf\xbd\"";
  constexpr const char* kThree = "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"";
  EXPECT_EQ(json("\xff"), kOne);
  EXPECT_EQ(json("\xc3"), kOne);                             // cut short
  EXPECT_EQ(json("\xe2\x82"), kTwo);                         // cut short
  EXPECT_EQ(json("\xc0\xaf"), kTwo);                         // overlong '/'
  EXPECT_EQ(json("\xed\xa0\x80"), kThree);                   // surrogate
  EXPECT_EQ(json("\xe0\x80\xaf"), kThree);                   // overlong
  EXPECT_EQ(json("\xc3\"x"), "\"\xef\xbf\xbd\\\"x\"");       // the quote after it is not swallowed
  EXPECT_EQ(json("\xf4\x90\x80\x80").size(), 2u + 4u * 3u);  // above U+10FFFF
}

TEST(JsonString, IsOneQuotedLineForAnyBytes) {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random.below(12), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    const std::string out = json(bytes);
    ASSERT_GE(out.size(), 2u);
    bool escaped = false;
    for (std::size_t at = 1; at + 1 < out.size(); ++at) {
      const auto byte = static_cast<unsigned char>(out[at]);
      ASSERT_GE(byte, 0x20);
      ASSERT_TRUE(escaped || byte != '"');
      escaped = !escaped && byte == '\\';
    }
    ASSERT_FALSE(escaped);
  }
}

TEST(Number, IsWrittenInPlainDecimal) {
  EXPECT_EQ(number(std::uint64_t{0}), "0");
  EXPECT_EQ(number(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(number(std::int64_t{-5}), "-5");
  EXPECT_EQ(number(1e6), "1000000");
  EXPECT_EQ(number(0.00025), "0.00025");
  EXPECT_EQ(number(-0.5), "-0.5");
}

TEST(Number, OfAnySizeFits) {
  EXPECT_EQ(number(std::numeric_limits<double>::max()).size(), 309u);
  EXPECT_GT(number(std::numeric_limits<double>::denorm_min()).size(), 300u);
}

TEST(Seconds, AreCutToTheDecimalsAskedFor) {
  EXPECT_EQ(seconds(0ns, 3), "0.000");
  EXPECT_EQ(seconds(12'999us, 3), "0.012");
  EXPECT_EQ(seconds(61'000'000'001ns, 9), "61.000000001");
  EXPECT_EQ(seconds(1'500us, 6), "0.001500");
}

}  // namespace
}  // namespace weir
