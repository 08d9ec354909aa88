#include "net/address.h"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <gtest/gtest.h>

#include "base/random.h"

namespace weir::net {
namespace {

TEST(Address, PrintsWhatItParsed) {
  for (const char* text : {"10.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:8080",
                           "[2001:db8::7]:443", "[::]:80", "unix:/run/x.sock", "unix:x"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
    EXPECT_EQ(Address::parse(address->to_string()), *address);
  }
}

TEST(Address, APortAloneIsEveryAddress) {
  const auto address = Address::parse(":8080");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->to_string(), "[::]:8080");
  EXPECT_EQ(address->family(), AF_INET6);
  EXPECT_EQ(address->port(), 8080);
}

TEST(Address, RefusesWhatIsNone) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      ":"sv,
                                      "80"sv,
                                      "10.0.0.1"sv,
                                      "10.0.0.1:"sv,
                                      "10.0.0.1:65536"sv,
                                      "10.0.0.1:-1"sv,
                                      "10.0.0.1:+1"sv,
                                      "10.0.0.1:80 "sv,
                                      " 10.0.0.1:80"sv,
                                      "10.0.0.1:8x"sv,
                                      "10.0.0:80"sv,
                                      "10.0.0.256:80"sv,
                                      "::1"sv,
                                      "::1:80"sv,
                                      "[::1]"sv,
                                      "[::1]80"sv,
                                      "[::1]:"sv,
                                      "[::1:80"sv,
                                      "[]:80"sv,
                                      "[10.0.0.1]:80"sv,
                                      "[::1]]:80"sv,
                                      "[fe80::1%lo]:80"sv,
                                      "localhost:80"sv,
                                      "example.com:80"sv,
                                      "10.0.0.1\0:80"sv,
                                      "unix:"sv,
                                      "unix:/a\0b"sv,
                                      "UNIX:/a"sv}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
}

TEST(Address, AUnixPathHasALimitThatIsSaid) {
  const std::string longest = "unix:" + std::string(107, 'p');
  ASSERT_TRUE(Address::parse(longest));
  EXPECT_EQ(Address::parse(longest)->to_string(), longest);
  const auto longer = Address::parse(longest + "p");
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error(), "the path of a unix socket has 1 to 107 bytes");
}

TEST(Address, APortCanBeLeftOutWhereThatIsAllowed) {
  for (const auto& [text, printed] : {std::pair{"10.0.0.1", "10.0.0.1:0"},
                                      {"[::1]", "[::1]:0"},
                                      {"10.0.0.1:80", "10.0.0.1:80"},
                                      {"unix:/x", "unix:/x"},
                                      {":80", "[::]:80"}}) {
    const auto address = Address::parse_with_optional_port(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), printed);
  }
  for (const char* text : {"", "::1", "[::1", "10.0.0.1:", "[10.0.0.1]", "localhost", "unix:"}) {
    EXPECT_FALSE(Address::parse_with_optional_port(text)) << text;
  }
}

TEST(Address, SetsThePortOfIpAddressesOnly) {
  for (const auto& [text, printed] :
       {std::pair{"10.0.0.1:1", "10.0.0.1:90"}, {"[::1]:1", "[::1]:90"}, {"unix:/x", "unix:/x"}}) {
    Address address = Address::parse(text).value();
    address.set_port(90);
    EXPECT_EQ(address.to_string(), printed);
  }
  EXPECT_EQ(Address::parse("unix:/x")->port(), 0);
}

TEST(Address, ComparesFamilyAddressAndPort) {
  const Address address = Address::parse("10.0.0.1:80").value();
  EXPECT_EQ(address, Address::parse("10.0.0.1:80").value());
  for (const char* other : {"10.0.0.1:81", "10.0.0.2:80", "[::1]:80", "unix:/x"}) {
    EXPECT_NE(address, Address::parse(other).value());
  }
  EXPECT_NE(Address::parse("unix:/a").value(), Address::parse("unix:/ab").value());
}

TEST(Address, LogsShowTheIpOfAnIpv4ClientOfAnIpv6Listener) {
  char text[INET6_ADDRSTRLEN];
  const auto ip = [&](const char* address) {
    return std::string(Address::parse(address).value().format_ip(text));
  };
  EXPECT_EQ(ip("[::ffff:10.0.0.1]:80"), "10.0.0.1");
  EXPECT_EQ(ip("10.0.0.1:80"), "10.0.0.1");
  EXPECT_EQ(ip("[2001:db8::7]:80"), "2001:db8::7");
  EXPECT_EQ(ip("unix:/x"), "unix");
}

TEST(Address, AnUnnamedPeerOfAUnixSocketIsPrinted) {
  sockaddr_storage peer{};
  peer.ss_family = AF_UNIX;
  const Address address(peer);
  EXPECT_TRUE(address.is_unix());
  EXPECT_EQ(address.to_string(), "unix:");
}

TEST(Address, IpsAreWrittenAsTheSystemWritesThem) {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    sockaddr_storage storage{};
    char expected[INET6_ADDRSTRLEN];
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    in_addr ip{static_cast<std::uint32_t>(random.next())};
    if (i % 3 == 0) ip.s_addr &= 0x0a00ff01;
    ASSERT_NE(inet_ntop(AF_INET, &ip, expected, sizeof expected), nullptr);
    if (i % 2 == 0) {
      v4.sin_family = AF_INET;
      v4.sin_addr = ip;
    } else {
      v6.sin6_family = AF_INET6;
      v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
      std::memcpy(&v6.sin6_addr.s6_addr[12], &ip, sizeof ip);
    }
    std::array<char, INET6_ADDRSTRLEN> text;
    ASSERT_EQ(Address(storage).format_ip(text), expected);
  }
}

}  // namespace
}  // namespace weir::net
