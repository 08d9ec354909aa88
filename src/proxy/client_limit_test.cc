#include "proxy/client_limit.h"

#include <gtest/gtest.h>

namespace weir::proxy {
namespace {

net::Address address(std::string_view text) {
  return net::Address::parse_with_optional_port(text).value();
}

TEST(ClientLimit, TellsClientsApartByTheirPrefixes) {
  const ClientLimit whole({.ipv4 = 32, .ipv6 = 128}, 8);
  EXPECT_EQ(whole.key_of(address("10.0.0.1:1")), whole.key_of(address("10.0.0.1:2")));
  EXPECT_NE(whole.key_of(address("10.0.0.1")), whole.key_of(address("10.0.0.2")));
  EXPECT_NE(whole.key_of(address("[2001:db8::1]")), whole.key_of(address("[2001:db8::2]")));

  const ClientLimit networks({.ipv4 = 24, .ipv6 = 48}, 8);
  EXPECT_EQ(networks.key_of(address("10.0.0.1")), networks.key_of(address("10.0.0.255")));
  EXPECT_NE(networks.key_of(address("10.0.0.1")), networks.key_of(address("10.0.1.1")));
  EXPECT_EQ(networks.key_of(address("[2001:db8:1:2::1]")),
            networks.key_of(address("[2001:db8:1:ffff:1::]")));
  EXPECT_NE(networks.key_of(address("[2001:db8:1::1]")),
            networks.key_of(address("[2001:db8:2::1]")));
}

TEST(ClientLimit, TakesAMappedAddressForTheIpv4AddressThatItIs) {
  const ClientLimit limit({}, 8);
  EXPECT_EQ(limit.key_of(address("[::ffff:10.0.0.1]")), limit.key_of(address("10.0.0.1")));
  EXPECT_NE(limit.key_of(address("[::ffff:10.0.0.1]")), limit.key_of(address("10.0.0.2")));
}

}  // namespace
}  // namespace weir::proxy
