#include "protocol/http/authority.h"

#include <gtest/gtest.h>
#include <string>

namespace weir::http {
namespace {

TEST(Authority, IsAHostAndAnOptionalPort) {
  struct {
    std::string_view text, host, port;
  } const cases[] = {
      {"example.com", "example.com", ""},
      {"example.com:80", "example.com", "80"},
      {"example.com:65535", "example.com", "65535"},
      {"example.com:", "example.com", ""},
      {"127.0.0.1:8080", "127.0.0.1", "8080"},
      {"[::1]", "[::1]", ""},
      {"[2001:db8::7]:443", "[2001:db8::7]", "443"},
      {"[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", ""},
      {"ex%41mple_1~!$&'()*+,;=", "ex%41mple_1~!$&'()*+,;=", ""},
  };
  for (const auto& test : cases) {
    const auto authority = parse_authority(test.text);
    ASSERT_TRUE(authority) << test.text;
    EXPECT_EQ(authority->host, test.host);
    EXPECT_EQ(authority->port, test.port);
  }
}

TEST(Authority, RefusesWhatIsNone) {
  const std::string_view cases[] = {
      "",
      ":80",
      "user@host",
      "user:pw@host",
      "host:65536",
      "host:123456",
      "host:8a",
      "a b",
      "a/b",
      "a?b",
      "a#b",
      "a\\b",
      "host:80:80",
      "host:-1",
      "a%",
      "a%4",
      "a%4g",
      "[::1",
      "::1",
      "[]",
      "[::1]80",
      "[::1]x",
      "[1::2::3]",
      "[fe80::1%25eth0]",
      "[v1.x]",
      "[127.0.0.1]",
      "h\xc3\xb6st",
      "a\tb",
      "host:+80",
      "host: 80",
      "[0000:0000:0000:0000:0000:ffff:255.255.255.255:0000:0000]",
  };
  for (const std::string_view text : cases) EXPECT_FALSE(parse_authority(text)) << text;
  EXPECT_FALSE(parse_authority(std::string("[::1\0]", 6)));
  EXPECT_FALSE(parse_authority(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace weir::http
