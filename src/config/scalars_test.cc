#include "config/scalars.h"

#include <chrono>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace weir::config {
namespace {

using namespace std::chrono_literals;

template <class T>
std::optional<T> parsed(std::string_view text) {
  T value{};
  if (!parse_scalar(text, value)) return std::nullopt;
  return value;
}

TEST(Scalars, WholeNumbersAreDecimalAndFitTheirType) {
  EXPECT_EQ(parsed<std::uint16_t>("0"), 0);
  EXPECT_EQ(parsed<std::uint16_t>("65535"), 65535);
  EXPECT_EQ(parsed<std::int8_t>("-128"), -128);
  EXPECT_EQ(parsed<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  for (const char* text : {"", "-", "65536", "-1", "+1", "01", "0x10", "1.0", "1e3", " 1", "1 "}) {
    EXPECT_EQ(parsed<std::uint16_t>(text), std::nullopt) << text;
  }
  EXPECT_EQ(parsed<std::uint64_t>("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parsed<std::int8_t>("-129"), std::nullopt);
}

TEST(Scalars, BooleansAreTrueOrFalseOnly) {
  EXPECT_EQ(parsed<bool>("true"), true);
  EXPECT_EQ(parsed<bool>("false"), false);
  for (const char* text : {"True", "yes", "on", "1", ""}) {
    EXPECT_EQ(parsed<bool>(text), std::nullopt) << text;
  }
}

TEST(Scalars, NumbersAreFinite) {
  EXPECT_EQ(parsed<double>("0.25"), 0.25);
  EXPECT_EQ(parsed<double>("-3"), -3.0);
  for (const char* text : {"inf", "nan", "1e999", "1,5", ""}) {
    EXPECT_EQ(parsed<double>(text), std::nullopt) << text;
  }
}

TEST(Scalars, DurationsAreSumsOfUnits) {
  EXPECT_EQ(parsed<Duration>("0"), 0ns);
  EXPECT_EQ(parsed<Duration>("10us"), 10us);
  EXPECT_EQ(parsed<Duration>("250ms"), 250ms);
  EXPECT_EQ(parsed<Duration>("5s"), 5s);
  EXPECT_EQ(parsed<Duration>("90s"), 90s);
  EXPECT_EQ(parsed<Duration>("1m30s"), 90s);
  EXPECT_EQ(parsed<Duration>("1d2h3m4s5ms6us7ns"), 24h + 2h + 3min + 4s + 5ms + 6us + 7ns);
  for (const char* text : {"", "5", "s", "5 s", "5S", "1.5s", "-1s", "5s1m", "1s1s", "5sec", "1m30",
                           "200000d", "99999999999999999999s"}) {
    EXPECT_EQ(parsed<Duration>(text), std::nullopt) << text;
  }
}

TEST(Scalars, ADurationWithoutUnitSaysSo) {
  Duration out;
  EXPECT_EQ(parse_scalar("5", out).error(), "the unit is missing");
  EXPECT_EQ(parse_scalar("5s1m", out).error(), "larger units come first, each once");
  EXPECT_EQ(parse_scalar("200000d", out).error(), "too long");
}

TEST(Scalars, SizesTakeBinaryUnitsInEitherSpelling) {
  EXPECT_EQ(parsed<ByteCount>("0"), 0_B);
  EXPECT_EQ(parsed<ByteCount>("512"), 512_B);
  EXPECT_EQ(parsed<ByteCount>("512B"), 512_B);
  for (const char* text : {"64KiB", "64kib", "64k", "64K"}) {
    EXPECT_EQ(parsed<ByteCount>(text), 64_KiB) << text;
  }
  EXPECT_EQ(parsed<ByteCount>("1MiB"), parsed<ByteCount>("1m"));
  EXPECT_EQ(parsed<ByteCount>("10GiB"), 10_GiB);
  for (const char* text : {"", "k", "1 k", "1KB", "1.5k", "-1", "1t", "18446744073709551615k"}) {
    EXPECT_EQ(parsed<ByteCount>(text), std::nullopt) << text;
  }
}

TEST(Scalars, PrintTheLargestUnitThatIsExact) {
  EXPECT_EQ(print_scalar(Duration(90s)), "1m30s");
  EXPECT_EQ(print_scalar(Duration(24h)), "1d");
  EXPECT_EQ(print_scalar(Duration::zero()), "0s");
  EXPECT_EQ(print_scalar(64_KiB), "64KiB");
  EXPECT_EQ(print_scalar(1000_B), "1000B");
  EXPECT_EQ(print_scalar(0_B), "0B");
}

TEST(Scalars, WhatIsPrintedIsReadBack) {
  Random random(1);
  for (int round = 0; round < 10'000; ++round) {
    const std::uint64_t value = random.next() >> random.below(64);
    const auto length = Duration(static_cast<std::int64_t>(value >> 1));
    EXPECT_EQ(parsed<Duration>(print_scalar(length)), length);
    EXPECT_EQ(parsed<ByteCount>(print_scalar(ByteCount(value))), ByteCount(value));
    EXPECT_EQ(parsed<std::uint64_t>(print_scalar(value)), value);
    const double number = static_cast<double>(value) / 1024;
    EXPECT_EQ(parsed<double>(print_scalar(number)), number);
  }
}

}  // namespace
}  // namespace weir::config
