#include "net/cidr.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "base/random.h"
#include "protocol/ip_address.h"

namespace weir::net {
namespace {

Cidr network(std::string_view text) { return Cidr::parse(text).value(); }

Address ip(std::string_view text) { return Address(protocol::parse_ip(text).value()); }

std::string error(std::string_view text) {
  const auto parsed = Cidr::parse(text);
  return parsed ? "none" : parsed.error();
}

TEST(Cidr, PrintsWhatItParsed) {
  for (const char* text : {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "192.0.2.0/31", "128.0.0.0/1",
                           "::/0", "2001:db8::/32", "2001:db8::1/128", "fe80::/10",
                           "2001:db8:0:8000::/49", "2001:db8:0:0:8000::/65"}) {
    ASSERT_TRUE(Cidr::parse(text)) << text << ": " << error(text);
    EXPECT_EQ(network(text).to_string(), text);
    EXPECT_EQ(network(network(text).to_string()), network(text));
  }
}

TEST(Cidr, AnAddressAloneIsANetworkOfItsOwn) {
  EXPECT_EQ(network("192.0.2.1"), network("192.0.2.1/32"));
  EXPECT_EQ(network("2001:db8::1"), network("2001:db8::1/128"));
  EXPECT_EQ(Cidr(), network("0.0.0.0"));
}

TEST(Cidr, RefusesWhatIsNone) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, "/8"sv, "10/8"sv, "10.0.0.0/"sv, "10.0.0.0/8/8"sv, "10.0.0.0/08"sv, "10.0.0.0/+8"sv,
        "10.0.0.0/-1"sv, "10.0.0.0 /8"sv, "10.0.0.0/ 8"sv, "10.0.0.0/255.0.0.0"sv, "[::1]"sv,
        "[::]/0"sv, "::1%lo"sv, "localhost"sv, "10.0.0.1:80"sv, "10.0.0.0\0/8"sv,
        "10.0.0.0/99999999999999999999"sv}) {
    EXPECT_EQ(error(text), "") << text;
  }
}

TEST(Cidr, SaysWhichNetworkWasMeant) {
  EXPECT_EQ(error("10.1.2.3/8"), "bits beyond its prefix are set, the network is 10.0.0.0/8");
  EXPECT_EQ(error("192.0.2.1/0"), "bits beyond its prefix are set, the network is 0.0.0.0/0");
  EXPECT_EQ(error("2001:db8::1/64"),
            "bits beyond its prefix are set, the network is 2001:db8::/64");
  EXPECT_EQ(error("10.0.0.0/33"), "its prefix has 0 to 32 bits");
  EXPECT_EQ(error("::/129"), "its prefix has 0 to 128 bits");
}

TEST(Cidr, ContainsWhatSharesItsPrefix) {
  EXPECT_TRUE(network("10.0.0.0/8").contains(ip("10.0.0.0")));
  EXPECT_TRUE(network("10.0.0.0/8").contains(ip("10.255.255.255")));
  EXPECT_FALSE(network("10.0.0.0/8").contains(ip("11.0.0.0")));
  EXPECT_FALSE(network("10.0.0.0/8").contains(ip("9.255.255.255")));
  EXPECT_TRUE(network("192.0.2.1").contains(ip("192.0.2.1")));
  EXPECT_FALSE(network("192.0.2.1").contains(ip("192.0.2.0")));
  EXPECT_TRUE(network("2001:db8::/33").contains(ip("2001:db8:7fff::1")));
  EXPECT_FALSE(network("2001:db8::/33").contains(ip("2001:db8:8000::")));
  EXPECT_TRUE(network("2001:db8::/65").contains(ip("2001:db8::7fff:ffff:ffff:ffff")));
  EXPECT_FALSE(network("2001:db8::/65").contains(ip("2001:db8::8000:0:0:0")));
}

TEST(Cidr, AnAddressIsOfOneFamilyOnly) {
  EXPECT_FALSE(network("0.0.0.0/0").contains(ip("::1")));
  EXPECT_FALSE(network("::/0").contains(ip("10.0.0.1")));
  EXPECT_FALSE(network("::/0").contains(ip("::ffff:10.0.0.1")));
  EXPECT_FALSE(network("::a00:0/104").contains(ip("10.0.0.1")));
}

TEST(Cidr, AnIpv4MappedAddressIsTheIpv4Address) {
  EXPECT_TRUE(network("10.0.0.0/8").contains(ip("::ffff:10.1.2.3")));
  EXPECT_FALSE(network("10.0.0.0/8").contains(ip("::ffff:11.1.2.3")));
  EXPECT_EQ(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
  EXPECT_EQ(network("::ffff:10.0.0.1"), network("10.0.0.1"));
  EXPECT_EQ(error("::ffff:0:0/88"), "bits beyond its prefix are set, the network is ::ff00:0:0/88");
}

TEST(Cidr, NeverContainsAUnixSocket) {
  const Address unix_socket = Address::parse("unix:/run/x.sock").value();
  const Cidr all[] = {network("0.0.0.0/0"), network("::/0")};
  EXPECT_FALSE(all[0].contains(unix_socket));
  EXPECT_FALSE(all[1].contains(unix_socket));
  EXPECT_FALSE(CidrSet(all).contains(unix_socket));
  EXPECT_TRUE(CidrSet(all).contains(ip("10.0.0.1")));
}

TEST(CidrSet, OfNothingContainsNothing) {
  EXPECT_TRUE(CidrSet().is_empty());
  EXPECT_FALSE(CidrSet().contains(ip("10.0.0.1")));
  EXPECT_FALSE(CidrSet(std::span<const Cidr>()).contains(ip("::1")));
}

// Few distinct bits, so that networks nest, touch and hit.
sockaddr_storage random_ip(Random& random) {
  char bytes[16] = {};
  for (const std::size_t at : {0u, 1u, 3u, 7u, 8u, 15u}) {
    bytes[at] = static_cast<char>(random.below(4) << 6 * random.below(2));
  }
  const std::string_view v6(bytes, 16);
  const sockaddr_storage address =
      protocol::make_ip(random.below(2) == 0 ? v6.substr(0, 4) : v6, 80);
  return random.below(4) == 0 ? protocol::map_ipv4(address) : address;
}

Cidr random_network(Random& random) {
  const sockaddr_storage address = protocol::unmap_ipv4(random_ip(random));
  char bytes[16];
  const std::string_view ip(bytes, protocol::ip_bytes(address).copy(bytes, 16));
  const std::uint32_t prefix = random.below(static_cast<std::uint32_t>(ip.size() * 8 + 1));
  for (std::size_t bit = prefix; bit < ip.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] & ~(0x80 >> bit % 8));
  }
  char text[INET6_ADDRSTRLEN];
  return network(std::string(protocol::print_ip(protocol::make_ip(ip, 0), text)) + "/" +
                 std::to_string(prefix));
}

TEST(CidrSet, ContainsWhatOneOfItsNetworksContains) {
  Random random(3);
  int contained = 0, others = 0;
  for (int run = 0; run < 300; ++run) {
    std::vector<Cidr> networks(random.below(30));
    for (Cidr& one : networks) one = random_network(random);
    const CidrSet set(networks);
    for (int look = 0; look < 100; ++look) {
      const Address address(random_ip(random));
      const bool expected =
          std::ranges::any_of(networks, [&](const Cidr& one) { return one.contains(address); });
      ASSERT_EQ(set.contains(address), expected) << address.to_string();
      ++(expected ? contained : others);
    }
  }
  EXPECT_GT(contained, 1000);
  EXPECT_GT(others, 1000);
}

TEST(Cidr, IsASettingThatPrintsWhatItReads) {
  Cidr read;
  ASSERT_TRUE(parse_scalar("10.0.0.0/8", read));
  EXPECT_EQ(print_scalar(read), "10.0.0.0/8");
  EXPECT_EQ(parse_scalar("10.0.0.1/8", read).error(), error("10.0.0.1/8"));
}

}  // namespace
}  // namespace weir::net
