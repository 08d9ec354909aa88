#include "admin/percent.h"

#include <gtest/gtest.h>

namespace weir::admin {
namespace {

TEST(Percent, DecodesEachEscapeOnce) {
  EXPECT_EQ(decode_percent("a%2Fb%2fc%20%2541+"), "a/b/c %41+");
  EXPECT_EQ(decode_percent(""), "");
}

TEST(Percent, RefusesMalformedEscapes) {
  for (const char* text : {"%", "a%2", "%g0", "%0g", "%%20"}) {
    EXPECT_FALSE(decode_percent(text)) << text;
  }
}

TEST(Percent, EncodesAllButUnreservedCharacters) {
  EXPECT_EQ(encode_percent("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(encode_percent("a/b c&d=e+%\xc3\xa9"), "a%2Fb%20c%26d%3De%2B%25%C3%A9");
}

TEST(Percent, DecodingUndoesEncodingOfAnyByte) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  EXPECT_EQ(decode_percent(encode_percent(every_byte)), every_byte);
}

}  // namespace
}  // namespace weir::admin
