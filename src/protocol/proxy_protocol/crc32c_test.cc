#include "protocol/proxy_protocol/crc32c.h"

#include <gtest/gtest.h>
#include <string>

namespace weir::proxy_protocol {
namespace {

// The values of RFC 3720 B.4 and the usual check of CRC catalogues.
TEST(Crc32c, IsThatOfKnownBytes) {
  std::string rising;
  for (char byte = 0; byte < 32; ++byte) rising.push_back(byte);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c(rising), 0x46dd794eu);
}

TEST(Crc32c, OfPiecesIsThatOfTheWhole) {
  constexpr std::string_view kBytes = "123456789";
  for (std::size_t cut = 0; cut <= kBytes.size(); ++cut) {
    EXPECT_EQ(crc32c(kBytes.substr(cut), crc32c(kBytes.substr(0, cut))), crc32c(kBytes));
  }
}

}  // namespace
}  // namespace weir::proxy_protocol
