#include "net/server_address.h"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

using Parsed = std::expected<ServerAddress, std::string>;

Parsed parse(std::string_view text) {
  ServerAddress address;
  if (const auto parsed = parse_scalar(text, address); !parsed) {
    return std::unexpected(parsed.error());
  }
  return address;
}

TEST(ServerAddress, ReadsAddressesAndNames) {
  const std::string label(63, 'x');
  for (const std::string text :
       {"10.0.0.1:80", "[::1]:80", "unix:/run/app.sock", "localhost:80", "app.internal:65535",
        "App_1.example-shop.com.:1", "10.0.0.1.nip:80", "a:1"}) {
    ASSERT_TRUE(parse(text)) << text;
    EXPECT_EQ(parse(text)->to_string(), text);
    EXPECT_EQ(print_scalar(*parse(text)), text);
  }
  EXPECT_EQ(parse(label + ".x:80")->host, label + ".x");
  EXPECT_EQ(parse("10.0.0.1")->address, Address::parse("10.0.0.1:0").value());
}

TEST(ServerAddress, KnowsANameFromAnAddress) {
  EXPECT_TRUE(parse("app.internal:80")->is_name());
  EXPECT_EQ(parse("app.internal:80")->address.port(), 80);
  EXPECT_FALSE(parse("10.0.0.1:80")->is_name());
  EXPECT_FALSE(parse("unix:app.internal:80")->is_name());
}

TEST(ServerAddress, SaysWhatIsWrongWithAName) {
  const std::string label(63, 'x');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'y');
  EXPECT_TRUE(parse(longest + ":80"));
  const std::pair<std::string, std::string> kCases[] = {
      {"app.internal", "a host name needs a port"},
      {"app.internal:", "a port is a number from 1 to 65535"},
      {"app.internal:0", "a port is a number from 1 to 65535"},
      {"app.internal:65536", "a port is a number from 1 to 65535"},
      {"app.internal:http", "a port is a number from 1 to 65535"},
      {"app..internal:80", "the name has an empty label"},
      {".internal:80", "the name has an empty label"},
      {"app.internal..:80", "the name has an empty label"},
      {label + "x:80", "a label of a name has at most 63 characters"},
      {longest + "y:80", "a name has at most 253 characters"},
      {"app internal:80", "a name consists of letters, digits, '-', '_' and '.'"},
      {"app/internal:80", "a name consists of letters, digits, '-', '_' and '.'"},
      {"\xc3\xa4pp.internal:80", "a name consists of letters, digits, '-', '_' and '.'"},
      {"-app.internal:80", "no label of a name begins or ends with '-'"},
      {"app-.internal:80", "no label of a name begins or ends with '-'"},
  };
  for (const auto& [text, why] : kCases) {
    ASSERT_FALSE(parse(text)) << text;
    EXPECT_EQ(parse(text).error(), why) << text;
  }
}

TEST(ServerAddress, WhatLooksLikeAnAddressIsNoName) {
  for (const char* text :
       {"10.0.0.256:80", "10.0.0:80", "1:80", "::1:80x", "[app]:80", "a:b:80", "", ":x"}) {
    EXPECT_FALSE(parse(text)) << text;
  }
}

}  // namespace
}  // namespace weir::net
