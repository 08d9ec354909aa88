#include "protocol/ip_address.h"

#include <gtest/gtest.h>
#include <string>

namespace weir::protocol {
namespace {

using namespace std::string_view_literals;

std::string printed(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN];
  return std::string(print_ip(address, text));
}

TEST(IpAddress, PrintsWhatItParsed) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::7",
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:192.0.2.1"}) {
    const auto address = parse_ip(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(printed(*address), text);
    EXPECT_EQ(port_of(*address), 0);
  }
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const std::string_view text : {""sv,
                                      "1"sv,
                                      "1.2.3"sv,
                                      "1.2.3.4.5"sv,
                                      "1.2.3.256"sv,
                                      "01.2.3.4"sv,
                                      "1.2.3.4 "sv,
                                      " 1.2.3.4"sv,
                                      "1.2.3.4\0"sv,
                                      "0x1.2.3.4"sv,
                                      "1.2.3.4:80"sv,
                                      "[::1]"sv,
                                      ":::"sv,
                                      "1:2:3:4:5:6:7"sv,
                                      "1:2:3:4:5:6:7:8:9"sv,
                                      "12345::"sv,
                                      "::g"sv,
                                      "::1%lo"sv,
                                      "::ffff:01.2.3.4"sv,
                                      "0000:0000:0000:0000:0000:0000:0000:0000:0000"sv}) {
    EXPECT_FALSE(parse_ip(text)) << text;
  }
}

TEST(IpAddress, PortsAreDecimalWithoutLeadingZero) {
  EXPECT_EQ(parse_port("0"), 0);
  EXPECT_EQ(parse_port("443"), 443);
  EXPECT_EQ(parse_port("65535"), 65535);
  for (const char* text : {"", "65536", "00", "01", "-1", "+1", " 1", "1 ", "1a", "0x1"}) {
    EXPECT_FALSE(parse_port(text)) << text;
  }
}

TEST(IpAddress, IsMadeOfItsBytes) {
  const sockaddr_storage v4 = make_ip("\xc0\x00\x02\x01"sv, 443);
  EXPECT_EQ(printed(v4), "192.0.2.1");
  EXPECT_EQ(port_of(v4), 443);
  EXPECT_EQ(ip_bytes(v4), "\xc0\x00\x02\x01"sv);
  const sockaddr_storage v6 = make_ip("0123456789abcdef", 65535);
  EXPECT_EQ(v6.ss_family, AF_INET6);
  EXPECT_EQ(port_of(v6), 65535);
  EXPECT_EQ(ip_bytes(v6), "0123456789abcdef");
}

TEST(IpAddress, OfAnotherFamilyHasNothing) {
  sockaddr_storage address{};
  EXPECT_EQ(ip_bytes(address), "");
  EXPECT_EQ(printed(address), "");
  address.ss_family = AF_UNIX;
  EXPECT_EQ(port_of(address), 0);
  EXPECT_EQ(unmap_ipv4(address).ss_family, AF_UNIX);
  EXPECT_EQ(map_ipv4(address).ss_family, AF_UNIX);
}

TEST(IpAddress, MapsIpv4AndBack) {
  const sockaddr_storage v4 = make_ip("\x0a\x00\x00\x01"sv, 80);
  EXPECT_EQ(printed(map_ipv4(v4)), "::ffff:10.0.0.1");
  EXPECT_EQ(port_of(map_ipv4(v4)), 80);
  EXPECT_EQ(printed(unmap_ipv4(map_ipv4(v4))), "10.0.0.1");
  EXPECT_EQ(port_of(unmap_ipv4(map_ipv4(v4))), 80);
  EXPECT_EQ(printed(unmap_ipv4(parse_ip("::fffe:a00:1").value())), "::fffe:a00:1");
  EXPECT_EQ(printed(map_ipv4(parse_ip("2001:db8::").value())), "2001:db8::");
}

}  // namespace
}  // namespace weir::protocol
