#include "protocol/proxy_protocol/write_header.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/random.h"
#include "protocol/ip_address.h"
#include "protocol/proxy_protocol/parse_header.h"

namespace weir::proxy_protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

sockaddr_storage ip(std::string_view text, std::uint16_t port) {
  return protocol::make_ip(protocol::ip_bytes(protocol::parse_ip(text).value()), port);
}

sockaddr_storage unix_socket(std::string_view path) {
  sockaddr_storage address{};
  address.ss_family = AF_UNIX;
  path.copy(reinterpret_cast<char*>(&address) + sizeof(sa_family_t), path.size());
  return address;
}

bool are_equal(const sockaddr_storage& a, const sockaddr_storage& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

std::string v1(const sockaddr_storage& source, const sockaddr_storage& destination) {
  char out[kV1BytesMax];
  return {out, write_v1(out, source, destination).value()};
}

std::string v2(const sockaddr_storage& source, const sockaddr_storage& destination,
               const V2Options& options = {}) {
  char out[kHeaderBytesMax];
  return {out, write_v2(out, source, destination, options).value()};
}

TEST(WriteV1, IsTheLineOfTheSpecification) {
  EXPECT_EQ(v1(ip("192.168.0.1", 56324), ip("192.168.0.11", 443)),
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
  EXPECT_EQ(v1(ip("2001:db8::1", 0), ip("::1", 65535)), "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n");
}

TEST(WriteV1, SaysIpv4WhereBothAreAndIpv6WhereOneIs) {
  EXPECT_EQ(v1(ip("::ffff:10.0.0.1", 1), ip("::ffff:10.0.0.2", 2)),
            "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n");
  EXPECT_EQ(v1(ip("::ffff:10.0.0.1", 1), ip("10.0.0.2", 2)),
            "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n");
  EXPECT_EQ(v1(ip("10.0.0.1", 1), ip("2001:db8::2", 2)),
            "PROXY TCP6 ::ffff:10.0.0.1 2001:db8::2 1 2\r\n");
}

TEST(WriteV1, SaysUnknownOfWhatItCannotSay) {
  EXPECT_EQ(v1({}, {}), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(v1(ip("10.0.0.1", 1), {}), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(v1(unix_socket("/a"), unix_socket("/b")), "PROXY UNKNOWN\r\n");
}

TEST(WriteV2, IsTheBlockOfTheSpecification) {
  const std::string signature(kV2Signature);
  EXPECT_EQ(v2(ip("192.168.0.1", 56324), ip("192.168.0.11", 443)),
            signature + "\x21\x11\0\x0c\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb"s);
  EXPECT_EQ(v2(ip("::1", 1), ip("10.0.0.1", 2), {.transport = Transport::datagram}),
            signature + "\x21\x22\0\x24"s + std::string(15, '\0') + "\x01" + std::string(10, '\0') +
                "\xff\xff\x0a\0\0\x01\0\x01\0\x02"s);
  EXPECT_EQ(v2(ip("10.0.0.1", 1), unix_socket("/a")), signature + "\x21\0\0\0"s);
  const Tlv tlvs[] = {{.type = TlvType::alpn, .value = "h2"}};
  EXPECT_EQ(v2({}, {}, {.tlvs = tlvs}), signature + "\x21\0\0\x05\x01\0\x02h2"s);
}

TEST(WriteV2, OfWeirItselfSaysNothing) {
  char out[16];
  ASSERT_EQ(write_v2_local(out), 16u);
  EXPECT_EQ(std::string_view(out, 16), std::string(kV2Signature) + "\x20\0\0\0"s);
  Header header;
  EXPECT_EQ(parse_header({out, 16}, header).consumed, 16u);
  EXPECT_EQ(header.command, Command::local);
  EXPECT_FALSE(write_v2_local(std::span(out).first(15)));
}

sockaddr_storage random_address(Random& random, int family) {
  char bytes[100];
  for (char& byte : bytes) byte = static_cast<char>(1 + random.below(255));
  const auto port = static_cast<std::uint16_t>(random.next());
  if (family == AF_INET) return protocol::make_ip({bytes, 4}, port);
  if (family == AF_INET6) return protocol::make_ip({bytes, 16}, port);
  return family == AF_UNIX ? unix_socket({bytes, random.below(100)}) : sockaddr_storage{};
}

TEST(WriteHeader, Version1IsReadAsItWasWritten) {
  Random random(1);
  for (int run = 0; run < 1000; ++run) {
    const int family = random.below(2) == 0 ? AF_INET : AF_INET6;
    const sockaddr_storage source = random_address(random, family);
    const sockaddr_storage destination = random_address(random, family);
    const std::string bytes = v1(source, destination);
    Header header;
    ASSERT_EQ(parse_header(bytes, header).consumed, bytes.size()) << bytes;
    EXPECT_EQ(header.transport, Transport::stream);
    EXPECT_TRUE(are_equal(header.source, source)) << bytes;
    EXPECT_TRUE(are_equal(header.destination, destination)) << bytes;
  }
}

struct RandomTlvs {
  std::vector<std::string> values;
  std::vector<Tlv> tlvs;
};

RandomTlvs random_tlvs(Random& random) {
  constexpr TlvType kTypes[] = {TlvType::alpn, TlvType::authority, TlvType::unique_id,
                                TlvType::netns, static_cast<TlvType>(0xe1)};
  RandomTlvs made;
  for (std::uint32_t count = random.below(5); count != 0; --count) {
    made.values.emplace_back(random.below(129), static_cast<char>(random.next()));
  }
  for (const std::string& value : made.values) {
    made.tlvs.push_back({.type = kTypes[random.below(5)], .value = value});
  }
  return made;
}

TEST(WriteHeader, Version2IsReadAsItWasWrittenInAnyPieces) {
  constexpr int kFamilies[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
  Random random(2);
  for (int run = 0; run < 500; ++run) {
    const int family = kFamilies[random.below(4)];
    const sockaddr_storage source = random_address(random, family);
    const sockaddr_storage destination = random_address(random, family);
    const RandomTlvs random_values = random_tlvs(random);
    const bool has_checksum = random.below(2) == 0;
    const V2Options options{
        .transport = random.below(2) == 0 ? Transport::stream : Transport::datagram,
        .tlvs = random_values.tlvs,
        .checksum = has_checksum ? Checksum::add : Checksum::omit};
    const std::string bytes = v2(source, destination, options);
    Header header;
    const std::string cut = bytes.substr(0, random.below(static_cast<std::uint32_t>(bytes.size())));
    EXPECT_EQ(parse_header(cut, header).status, ParseStatus::incomplete);
    ASSERT_EQ(parse_header(bytes, header).consumed, bytes.size());
    EXPECT_EQ(header.version, Version::v2);
    EXPECT_EQ(header.transport, family == AF_UNSPEC ? Transport::unspecified : options.transport);
    EXPECT_TRUE(are_equal(header.source, source));
    EXPECT_TRUE(are_equal(header.destination, destination));
    auto read = header.tlvs.begin();
    for (const Tlv& tlv : options.tlvs) {
      ASSERT_NE(read, header.tlvs.end());
      EXPECT_EQ(read->type, tlv.type);
      EXPECT_EQ(read->value, tlv.value);
      ++read;
    }
    EXPECT_EQ(read != header.tlvs.end(), has_checksum);
  }
}

TEST(WriteHeader, SaysThatItDoesNotFit) {
  const sockaddr_storage source = ip("2001:db8::1", 1), destination = ip("2001:db8::2", 2);
  const Tlv tlvs[] = {{.type = TlvType::alpn, .value = "h2"}};
  const V2Options options{.tlvs = tlvs, .checksum = Checksum::add};
  const std::size_t v1_size = v1(source, destination).size();
  const std::size_t v2_size = v2(source, destination, options).size();
  for (std::size_t size = 0; size < v2_size; ++size) {
    std::vector<char> out(size);
    EXPECT_EQ(write_v1(out, source, destination).has_value(), size >= v1_size) << size;
    EXPECT_FALSE(write_v2(out, source, destination, options)) << size;
  }
}

TEST(WriteHeader, Version2HasTheLimitOfItsLength) {
  std::vector<char> out(80'000);
  const std::string value(65'532, 'x');
  const Tlv longest[] = {{.type = TlvType::netns, .value = value}};
  EXPECT_EQ(write_v2(out, {}, {}, {.tlvs = longest}), 65'551u);
  const Tlv longer[] = {longest[0], {.type = TlvType::noop, .value = ""}};
  EXPECT_FALSE(write_v2(out, {}, {}, {.tlvs = longer}));
}

}  // namespace
}  // namespace weir::proxy_protocol
