#include "protocol/proxy_protocol/parse_header.h"

#include <gtest/gtest.h>
#include <string>
#include <sys/un.h>
#include <vector>

#include "protocol/ip_address.h"
#include "protocol/proxy_protocol/crc32c.h"

namespace weir::proxy_protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

struct Outcome {
  ParseStatus status = ParseStatus::incomplete;
  std::size_t consumed = 0;
  std::string_view rule = row_of(Rule::none).word;
  std::string meaning;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string printed(const sockaddr_storage& address) {
  if (address.ss_family == AF_UNSPEC) return "-";
  if (address.ss_family == AF_UNIX) {
    return "unix:"s + (reinterpret_cast<const char*>(&address) + offsetof(sockaddr_un, sun_path));
  }
  char text[INET6_ADDRSTRLEN];
  return std::string(protocol::print_ip(address, text)) + " " +
         std::to_string(protocol::port_of(address));
}

std::string print(const Header& header) {
  constexpr const char* kTransports[] = {"", " stream", " datagram"};
  std::string text = header.version == Version::v1 ? "v1" : "v2";
  text += header.command == Command::local ? " local" : " proxy";
  text += kTransports[static_cast<int>(header.transport)];
  text += " " + printed(header.source) + " > " + printed(header.destination);
  for (const Tlv& tlv : header.tlvs) {
    text += " " + std::to_string(static_cast<int>(tlv.type)) + "=" + std::string(tlv.value);
  }
  return text;
}

// From memory of exactly their size.
Outcome parse(std::string_view bytes, std::size_t bytes_max = kHeaderBytesMax) {
  const std::vector<char> copy(bytes.begin(), bytes.end());
  Header header;
  const ParseResult result = parse_header({copy.data(), copy.size()}, header, bytes_max);
  return {.status = result.status,
          .consumed = result.consumed,
          .rule = row_of(result.rule).word,
          .meaning = result.status == ParseStatus::complete ? print(header) : ""};
}

// A header of version 2 around `block`.
std::string v2(char command, char family, std::string_view block) {
  std::string bytes(kV2Signature);
  bytes += {command, family, static_cast<char>(block.size() >> 8), static_cast<char>(block.size())};
  return bytes.append(block);
}

std::string proxied(char family, std::string_view block) { return v2(0x21, family, block); }

constexpr std::string_view kIpv4 = "\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb"sv;
constexpr std::string_view kIpv6 =
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xdc\x04\x01\xbb"sv;

std::string unix_paths(std::string_view source, std::string_view destination) {
  std::string block(216, '\0');
  block.replace(0, source.size(), source);
  return block.replace(108, destination.size(), destination);
}

struct Good {
  std::string bytes;
  std::string meaning;
};

std::vector<Good> good_headers() {
  const std::string ipv4(kIpv4), ipv6(kIpv6);
  return {
      // 2.1
      {"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
       "v1 proxy stream 192.168.0.1 56324 > 192.168.0.11 443"},
      {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
       "v1 proxy stream 255.255.255.255 65535 > 255.255.255.255 65535"},
      {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "v1 proxy stream 0.0.0.0 0 > 0.0.0.0 0"},
      {"PROXY TCP6 2001:DB8::1 ::1 56324 443\r\n", "v1 proxy stream 2001:db8::1 56324 > ::1 443"},
      {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       "v1 proxy stream ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 > "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"},
      {"PROXY UNKNOWN\r\n", "v1 proxy - > -"},
      {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       "v1 proxy - > -"},
      {"PROXY UNKNOWN any\rthing\nat\0all\r\n"s, "v1 proxy - > -"},
      // 2.2
      {v2(0x20, 0x00, ""), "v2 local - > -"},
      {v2(0x20, '\xff', "\x01\xff anything"), "v2 local - > -"},
      {v2(0x20, 0x11, ipv4), "v2 local - > -"},
      {proxied(0x00, ""), "v2 proxy - > -"},
      {proxied(0x00, "\x02\0\x01h"sv), "v2 proxy - > - 2=h"},
      {proxied(0x01, ""), "v2 proxy - > -"},
      {proxied(0x10, ipv4 + "\x02\0\x01h"s), "v2 proxy - > - 2=h"},
      {proxied(0x11, ipv4), "v2 proxy stream 192.168.0.1 56324 > 192.168.0.11 443"},
      {proxied(0x12, ipv4), "v2 proxy datagram 192.168.0.1 56324 > 192.168.0.11 443"},
      {proxied(0x21, ipv6), "v2 proxy stream 2001:db8::1 56324 > 2001:db8::2 443"},
      {proxied(0x22, ipv6), "v2 proxy datagram 2001:db8::1 56324 > 2001:db8::2 443"},
      {proxied(0x31, unix_paths("/run/a", "/run/b")), "v2 proxy stream unix:/run/a > unix:/run/b"},
      {proxied(0x32, unix_paths("", std::string(107, 'p'))),
       "v2 proxy datagram unix: > unix:" + std::string(107, 'p')},
      {proxied(0x11, ipv4 + "\x04\0\x02..\x05\0\x02id\x01\0\x02h2\xe0\0\0"s),
       "v2 proxy stream 192.168.0.1 56324 > 192.168.0.11 443 5=id 1=h2 224="},
      {proxied(0x11, ipv4 + "\x05\0\x80"s + std::string(128, 'i')),
       "v2 proxy stream 192.168.0.1 56324 > 192.168.0.11 443 5=" + std::string(128, 'i')},
  };
}

struct Bad {
  Rule rule;
  std::string bytes;
};

std::vector<Bad> bad_lines() {
  return {
      {Rule::signature_missing, "GET / HTTP/1.1\r\n"},
      {Rule::signature_missing, "\x16\x03\x01"},
      {Rule::signature_missing, "proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n"},
      {Rule::signature_missing, "PROXY\tTCP4 1.2.3.4 1.2.3.4 1 1\r\n"},
      {Rule::signature_missing, " PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n"},
      {Rule::signature_missing, "\r\n\r\nPROXY"},
      {Rule::signature_missing, "\r\n\r\n\0\r\nQUIT\r"s},
      {Rule::line_too_long, "PROXY TCP4 " + std::string(96, '1')},
      {Rule::line_too_long, "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n"},
      {Rule::line_too_long, "PROXY TCP4 " + std::string(95, '1') + "\r\n"},
      {Rule::line_end_invalid, "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n"},
      {Rule::line_end_invalid, "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\rG"},
      {Rule::line_end_invalid, "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\r\n"},
      {Rule::line_end_invalid, "PROXY TCP4 1.2.3.4\n1.2.3.4 1 1\r\n"},
      {Rule::line_malformed, "PROXY TCP4\r\n"},
      {Rule::line_malformed, "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"},
      {Rule::line_malformed, "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n"},
      {Rule::line_malformed, "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n"},
      {Rule::line_malformed, "PROXY TCP4 1.2.3.4  1.2.3.4 1 1\r\n"},
      {Rule::protocol_unknown, "PROXY \r\n"},
      {Rule::protocol_unknown, "PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n"},
      {Rule::protocol_unknown, "PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n"},
      {Rule::protocol_unknown, "PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n"},
      {Rule::protocol_unknown, "PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n"},
      {Rule::protocol_unknown, "PROXY UNKNOWNS\r\n"},
      {Rule::address_invalid, "PROXY TCP4 1.2.3.256 1.2.3.4 1 1\r\n"},
      {Rule::address_invalid, "PROXY TCP4 1.2.3.4 1.2.3.04 1 1\r\n"},
      {Rule::address_invalid, "PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n"},
      {Rule::address_invalid, "PROXY TCP4 ::1 ::1 1 1\r\n"},
      {Rule::address_invalid, "PROXY TCP4 1.2.3.4 ::1 1 1\r\n"},
      {Rule::address_invalid, "PROXY TCP6 1.2.3.4 ::1 1 1\r\n"},
      {Rule::address_invalid, "PROXY TCP6 ::1 ::1::1 1 1\r\n"},
      {Rule::address_invalid, "PROXY TCP6 ::1 [::1] 1 1\r\n"},
      {Rule::address_invalid, "PROXY TCP4 1.2.3.4 1.2.3.4\0 1 1\r\n"s},
      {Rule::port_invalid, "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n"},
      {Rule::port_invalid, "PROXY TCP4 1.2.3.4 1.2.3.4 1 01\r\n"},
      {Rule::port_invalid, "PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n"},
      {Rule::port_invalid, "PROXY TCP4 1.2.3.4 1.2.3.4 1 0x1\r\n"},
      {Rule::port_invalid, "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n"},
  };
}

std::vector<Bad> bad_v2_headers() {
  const std::string ipv4(kIpv4);
  return {
      {Rule::version_unsupported, v2(0x11, 0x11, ipv4)},
      {Rule::version_unsupported, v2(0x31, 0x11, ipv4)},
      {Rule::version_unsupported, v2('\xa1', 0x11, ipv4)},
      {Rule::command_unknown, v2(0x22, 0x11, ipv4)},
      {Rule::command_unknown, v2(0x2f, 0x11, ipv4)},
      {Rule::family_unknown, proxied(0x41, ipv4)},
      {Rule::family_unknown, proxied('\xf1', ipv4)},
      {Rule::transport_unknown, proxied(0x13, ipv4)},
      {Rule::transport_unknown, proxied(0x0f, "")},
      {Rule::header_too_large, proxied(0x11, ipv4 + std::string(4069, 'x'))},
      {Rule::header_too_large, v2(0x20, 0x00, std::string(65535, 'x'))},
      {Rule::addresses_truncated, proxied(0x11, "")},
      {Rule::addresses_truncated, proxied(0x11, ipv4.substr(1))},
      {Rule::addresses_truncated, proxied(0x21, ipv4)},
      {Rule::addresses_truncated, proxied(0x21, kIpv6.substr(1))},
      {Rule::addresses_truncated, proxied(0x31, std::string(215, '\0'))},
      {Rule::addresses_truncated, proxied(0x10, "")},
      {Rule::unix_path_unterminated, proxied(0x31, unix_paths(std::string(108, 'p'), "/x"))},
      {Rule::unix_path_unterminated, proxied(0x32, unix_paths("/x", std::string(108, 'p')))},
      {Rule::tlv_truncated, proxied(0x11, ipv4 + "\x02")},
      {Rule::tlv_truncated, proxied(0x11, ipv4 + "\x02\0"s)},
      {Rule::tlv_truncated, proxied(0x11, ipv4 + "\x02\0\x01"s)},
      {Rule::tlv_truncated, proxied(0x11, ipv4 + "\x04\xff\xff..")},
      {Rule::tlv_truncated, proxied(0x00, "\x02")},
      {Rule::checksum_malformed, proxied(0x11, ipv4 + "\x03\0\x03\0\0\0"s)},
      {Rule::checksum_malformed, proxied(0x11, ipv4 + "\x03\0\x05\0\0\0\0\0"s)},
      {Rule::checksum_wrong, proxied(0x11, ipv4 + "\x03\0\x04\0\0\0\0"s)},
      {Rule::unique_id_too_long, proxied(0x11, ipv4 + "\x05\0\x81"s + std::string(129, 'i'))},
      {Rule::ssl_malformed, proxied(0x11, ipv4 + "\x20\0\x04\x01\0\0\0"s)},
      {Rule::ssl_malformed, proxied(0x11, ipv4 + "\x20\0\x06\x01\0\0\0\0\x21"s)},
  };
}

std::vector<Bad> bad_headers() {
  std::vector<Bad> all = bad_lines();
  for (Bad& bad : bad_v2_headers()) all.push_back(std::move(bad));
  return all;
}

TEST(ProxyHeader, SaysWhatTheProxySaid) {
  for (const Good& good : good_headers()) {
    const Outcome outcome = parse(good.bytes);
    EXPECT_EQ(outcome.status, ParseStatus::complete) << good.bytes << outcome.rule;
    EXPECT_EQ(outcome.meaning, good.meaning);
    EXPECT_EQ(outcome.consumed, good.bytes.size());
  }
}

TEST(ProxyHeader, LeavesWhatFollows) {
  for (const Good& good : good_headers()) {
    EXPECT_EQ(parse(good.bytes + "GET / HTTP/1.1\r\n\r\n"), parse(good.bytes)) << good.bytes;
    EXPECT_EQ(parse(good.bytes + good.bytes), parse(good.bytes)) << good.bytes;
  }
}

TEST(ProxyHeader, IsCompleteOnlyWhenAllOfItIsThere) {
  for (const Good& good : good_headers()) {
    for (std::size_t cut = 0; cut < good.bytes.size(); ++cut) {
      EXPECT_EQ(parse(good.bytes.substr(0, cut)), Outcome{}) << cut << " of " << good.bytes;
    }
  }
}

TEST(ProxyHeader, NamesTheRuleThatIsBroken) {
  for (const Bad& bad : bad_headers()) {
    const Outcome outcome = parse(bad.bytes);
    EXPECT_EQ(outcome.status, ParseStatus::failed) << bad.bytes;
    EXPECT_EQ(outcome.rule, row_of(bad.rule).word) << bad.bytes;
    EXPECT_EQ(outcome.consumed, 0u);
  }
}

TEST(ProxyHeader, FailsTheSameWhereverItIsCut) {
  for (const Bad& bad : bad_headers()) {
    const Outcome whole = parse(bad.bytes);
    ParseStatus before = ParseStatus::incomplete;
    for (std::size_t cut = 0; cut < bad.bytes.size(); ++cut) {
      const Outcome outcome = parse(bad.bytes.substr(0, cut));
      if (outcome.status != before) {
        EXPECT_EQ(before, ParseStatus::incomplete) << cut << " of " << bad.bytes;
      }
      if (outcome.status != ParseStatus::incomplete) {
        EXPECT_EQ(outcome, whole) << cut << " of " << bad.bytes;
      }
      before = outcome.status;
    }
    EXPECT_EQ(parse(bad.bytes + "GET / HTTP/1.1\r\n\r\n"), whole) << bad.bytes;
  }
}

TEST(ProxyHeader, OfVersion2FailsAsSoonAsItsBytesSay) {
  const std::string signature(kV2Signature);
  EXPECT_EQ(parse("\r\n\r\n\x01").rule, row_of(Rule::signature_missing).word);
  EXPECT_EQ(parse(signature + "\x31").rule, row_of(Rule::version_unsupported).word);
  EXPECT_EQ(parse(signature + "\x22").rule, row_of(Rule::command_unknown).word);
  EXPECT_EQ(parse(signature + "\x21\x41").rule, row_of(Rule::family_unknown).word);
  EXPECT_EQ(parse(signature + "\x21\x11\x10\x01").rule, row_of(Rule::header_too_large).word);
}

TEST(ProxyHeader, OfVersion2HasTheLimitThatTheCallerGives) {
  const std::string bytes = proxied(0x11, kIpv4);
  EXPECT_EQ(parse(bytes, bytes.size()).status, ParseStatus::complete);
  EXPECT_EQ(parse(bytes, bytes.size() - 1).rule, row_of(Rule::header_too_large).word);
  EXPECT_EQ(
      parse(proxied(0x11, std::string(kIpv4) + "\xee\x0f\xe1"s + std::string(4065, 'x'))).consumed,
      kHeaderBytesMax);
}

// Puts the checksum where `bytes` have zeros for it.
void set_checksum(std::string& bytes, std::size_t at) {
  const std::uint32_t crc = crc32c(bytes);
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(crc >> (24 - 8 * i));
}

TEST(ProxyHeader, HasOneChecksum) {
  constexpr std::string_view kChecksum = "\x03\0\x04\0\0\0\0"sv;
  std::string bytes = proxied(0x11, std::string(kIpv4).append(kChecksum).append(kChecksum));
  const std::size_t first = kV2AddressesAt + kIpv4.size() + kTlvOverheadBytes;
  set_checksum(bytes, first);
  EXPECT_EQ(parse(bytes).rule, row_of(Rule::checksum_malformed).word);
}

TEST(ProxyHeader, ChecksumCoversAddressesAndValues) {
  // What follows the checksum counts as well.
  std::string bytes =
      proxied(0x11, std::string(kIpv4) + "\x02\0\x01h\x03\0\x04\0\0\0\0\x05\0\x02id"s);
  const std::size_t at = bytes.find("\x03\0\x04"sv) + kTlvOverheadBytes;
  set_checksum(bytes, at);
  ASSERT_EQ(parse(bytes).status, ParseStatus::complete);
  for (std::size_t i = kV2AddressesAt; i < bytes.size(); ++i) {
    if (i >= at - kTlvOverheadBytes && i < at) continue;  // without it, nothing is checked
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_EQ(parse(changed).status, ParseStatus::failed) << i;
    }
  }
}

}  // namespace
}  // namespace weir::proxy_protocol
