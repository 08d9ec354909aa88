#include "protocol/http1/trailers.h"

#include <array>
#include <gtest/gtest.h>
#include <string>

namespace weir::http1 {
namespace {

TEST(Trailers, AreFieldsAsTheyCame) {
  std::array<http::Field, 4> storage;
  http::FieldList fields(storage);
  ASSERT_TRUE(parse_trailers("Digest:  a b \r\nx:\r\n\r\n", fields));
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(storage[0].name, "Digest");
  EXPECT_EQ(storage[0].value, "a b");
  EXPECT_EQ(storage[1].name, "x");
  EXPECT_EQ(storage[1].value, "");
}

TEST(Trailers, WhatHadToBeKnownBeforeTheBodyIsLeftOut) {
  for (const std::string name :
       {"Host", "content-length", "Transfer-Encoding", "AUTHORIZATION", "Set-Cookie",
        "Content-Type", "TE", "Trailer", "Age", "Vary", "Via", "Server", "Forwarded",
        "X-Forwarded-For", "X-Real-IP", "x-forwarded-proto", "X-Request-Id"}) {
    std::array<http::Field, 4> storage;
    http::FieldList fields(storage);
    const std::string section = name + ": 1\r\nKept: 1\r\n\r\n";
    ASSERT_TRUE(parse_trailers(section, fields)) << name;
    ASSERT_EQ(fields.size(), 1u) << name;
    EXPECT_EQ(storage[0].name, "Kept");
  }
}

TEST(Trailers, MoreThanThereIsRoomForAreAnError) {
  std::array<http::Field, 1> storage;
  http::FieldList fields(storage);
  EXPECT_FALSE(parse_trailers("a: 1\r\nb: 2\r\n\r\n", fields));
}

}  // namespace
}  // namespace weir::http1
