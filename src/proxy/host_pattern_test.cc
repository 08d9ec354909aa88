#include "proxy/host_pattern.h"

#include <gtest/gtest.h>

namespace weir::proxy {
namespace {

using Kind = HostPattern::Kind;

constexpr auto kWildcard = "'*' stands for whole labels at the start or at the end only";
constexpr auto kEmpty = "a label between two dots is empty";

std::string normalized(std::string_view authority) {
  HostBuffer buffer;
  const auto host = normalize_host(authority, buffer);
  return host ? std::string(*host) : "(refused)";
}

HostPattern parsed(std::string_view text) {
  HostPattern pattern;
  const auto done = parse_scalar(text, pattern);
  EXPECT_TRUE(done) << text << ": " << done.error();
  return pattern;
}

std::string problem_of(std::string_view text) {
  HostPattern pattern;
  const auto done = parse_scalar(text, pattern);
  return done ? "(accepted)" : done.error();
}

TEST(NormalizeHost, IgnoresCasePortAndTheFinalDot) {
  EXPECT_EQ(normalized("api.example.com"), "api.example.com");
  EXPECT_EQ(normalized("API.Example.COM"), "api.example.com");
  EXPECT_EQ(normalized("api.example.com:8080"), "api.example.com");
  EXPECT_EQ(normalized("api.example.com.:8080"), "api.example.com");
  EXPECT_EQ(normalized("api.example.com:"), "api.example.com");
  EXPECT_EQ(normalized("10.0.0.1:80"), "10.0.0.1");
}

TEST(NormalizeHost, KeepsTheBracketsOfAnIpv6Literal) {
  EXPECT_EQ(normalized("[2001:DB8::1]:443"), "[2001:db8::1]");
  EXPECT_EQ(normalized("[::1]"), "[::1]");
}

TEST(NormalizeHost, GivesAnEmptyHostForNone) {
  EXPECT_EQ(normalized(""), "");
  EXPECT_EQ(normalized(":80"), "");
  EXPECT_EQ(normalized("."), "");
}

TEST(NormalizeHost, RefusesWhatIsNoHostWithAPort) {
  EXPECT_EQ(normalized("host:port"), "(refused)");
  EXPECT_EQ(normalized("::1"), "(refused)");
  EXPECT_EQ(normalized("[::1"), "(refused)");
  EXPECT_EQ(normalized("[::1]x"), "(refused)");
  EXPECT_EQ(normalized("[::1]:x"), "(refused)");
}

TEST(NormalizeHost, RefusesAHostThatDoesNotFit) {
  EXPECT_EQ(normalized(std::string(kHostBytesMax, 'a') + ".:80"), std::string(kHostBytesMax, 'a'));
  EXPECT_EQ(normalized(std::string(kHostBytesMax + 1, 'a')), "(refused)");
}

TEST(HostPattern, IsReadFromText) {
  EXPECT_EQ(parsed("*"), (HostPattern{}));
  EXPECT_EQ(parsed("API.example.com."), (HostPattern{Kind::exact, "api.example.com"}));
  EXPECT_EQ(parsed("*.example.com"), (HostPattern{Kind::suffix, "example.com"}));
  EXPECT_EQ(parsed("*.com"), (HostPattern{Kind::suffix, "com"}));
  EXPECT_EQ(parsed("api-beta.*"), (HostPattern{Kind::prefix, "api-beta"}));
  EXPECT_EQ(parsed("localhost"), (HostPattern{Kind::exact, "localhost"}));
  EXPECT_EQ(parsed("my_service"), (HostPattern{Kind::exact, "my_service"}));
  EXPECT_EQ(parsed("10.0.0.1"), (HostPattern{Kind::exact, "10.0.0.1"}));
  EXPECT_EQ(parsed("[2001:DB8::1]"), (HostPattern{Kind::exact, "[2001:db8::1]"}));
}

TEST(HostPattern, ShowsWhatItWasReadFrom) {
  for (const std::string text : {"*", "api.example.com", "*.example.com", "api-beta.*", "[::1]"}) {
    EXPECT_EQ(print_scalar(parsed(text)), text);
  }
}

TEST(HostPattern, SaysWhatIsWrong) {
  EXPECT_EQ(problem_of("*example.com"), kWildcard);
  EXPECT_EQ(problem_of("a.*.example.com"), kWildcard);
  EXPECT_EQ(problem_of("*.example.*"), kWildcard);
  EXPECT_EQ(problem_of("api*.example.com"), kWildcard);
  EXPECT_EQ(problem_of("*.*"), kWildcard);
  EXPECT_EQ(problem_of(""), kEmpty);
  EXPECT_EQ(problem_of("."), kEmpty);
  EXPECT_EQ(problem_of("*."), kWildcard);
  EXPECT_EQ(problem_of(".example.com"), kEmpty);
  EXPECT_EQ(problem_of("a..b"), kEmpty);
  EXPECT_EQ(problem_of("example.com:80"), "a host has no port or scheme here");
  EXPECT_EQ(problem_of("http://example.com"), "a host has no port or scheme here");
  EXPECT_EQ(problem_of("b\xc3\xbc"
                       "cher.example"),
            "a host name has letters, digits, '-', '_' and dots (others as punycode)");
  EXPECT_EQ(problem_of("[example]"), "brackets hold an IPv6 address");
  EXPECT_EQ(problem_of("[]"), "brackets hold an IPv6 address");
  EXPECT_EQ(problem_of(std::string(64, 'a')), "a label is longer than 63 bytes");
  EXPECT_EQ(problem_of(std::string(254, 'a')), "longer than 253 bytes");
}

TEST(HostPattern, IsLeftAloneByTextThatIsWrong) {
  HostPattern pattern = parsed("a.example");
  EXPECT_FALSE(parse_scalar("a..b", pattern));
  EXPECT_EQ(pattern, parsed("a.example"));
}

}  // namespace
}  // namespace weir::proxy
