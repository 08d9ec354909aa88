#include "protocol/proxy_protocol/tlv.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace weir::proxy_protocol {
namespace {

using namespace std::string_view_literals;

std::vector<std::pair<int, std::string_view>> read(std::string_view bytes) {
  std::vector<std::pair<int, std::string_view>> all;
  for (const Tlv& tlv : TlvList(bytes)) all.emplace_back(static_cast<int>(tlv.type), tlv.value);
  return all;
}

using Expected = std::vector<std::pair<int, std::string_view>>;

TEST(TlvList, GivesAllInOrderButNoops) {
  EXPECT_EQ(read("\x01\0\x02h2\x02\0\0\xee\0\x01x"sv),
            (Expected{{0x01, "h2"}, {0x02, ""}, {0xee, "x"}}));
  EXPECT_EQ(read("\x04\0\0\x04\0\x03...\x05\0\x02id\x04\0\x01."sv), (Expected{{0x05, "id"}}));
  EXPECT_EQ(read(""), Expected{});
  EXPECT_EQ(read("\x04\0\0"sv), Expected{});
}

TEST(TlvList, EndsBeforeWhatIsTruncated) {
  constexpr std::string_view kWhole = "\x01\0\x02h2\x02\0\x03www"sv;
  EXPECT_TRUE(TlvList(kWhole).is_whole());
  for (std::size_t cut = 0; cut < kWhole.size(); ++cut) {
    const std::string piece(kWhole.substr(0, cut));
    EXPECT_EQ(read(piece).size(), cut < 5 ? 0u : 1u) << cut;
    EXPECT_EQ(TlvList(piece).is_whole(), cut == 0 || cut == 5) << cut;
  }
  EXPECT_FALSE(TlvList("\x04\xff\xff"sv).is_whole());
}

TEST(TlvList, FindsTheFirstOfAType) {
  const TlvList tlvs("\x02\0\x01x\x05\0\0\x02\0\x01y"sv);
  EXPECT_EQ(tlvs.find(TlvType::authority), "x");
  EXPECT_EQ(tlvs.find(TlvType::unique_id), "");
  EXPECT_EQ(tlvs.find(TlvType::alpn), std::nullopt);
}

TEST(Ssl, SaysWhatTheClientShowed) {
  const auto ssl = parse_ssl(
      "\x05\x01\x02\x03\x04\x21\0\x07TLSv1.3\x22\0\x0b"
      "example.com"sv);
  ASSERT_TRUE(ssl);
  EXPECT_TRUE(ssl->is_tls);
  EXPECT_FALSE(ssl->has_connection_certificate);
  EXPECT_TRUE(ssl->has_session_certificate);
  EXPECT_EQ(ssl->verify, 0x01020304u);
  EXPECT_EQ(ssl->tlvs.find(TlvType::ssl_version), "TLSv1.3");
  EXPECT_EQ(ssl->tlvs.find(TlvType::ssl_common_name), "example.com");
}

TEST(Ssl, IsRefusedWhenTruncated) {
  EXPECT_TRUE(parse_ssl("\0\0\0\0\0"sv));
  EXPECT_FALSE(parse_ssl(""));
  EXPECT_FALSE(parse_ssl("\x01\0\0\0"sv));
  EXPECT_FALSE(parse_ssl("\x01\0\0\0\0\x21"sv));
  EXPECT_FALSE(parse_ssl("\x01\0\0\0\0\x21\0\x08TLSv1.3"sv));
}

}  // namespace
}  // namespace weir::proxy_protocol
