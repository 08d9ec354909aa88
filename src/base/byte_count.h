#pragma once
// A number of bytes, so that a size cannot be mistaken for another number: ByteCount limit =
// 64_KiB;

#include <compare>
#include <cstdint>

namespace weir {

struct ByteCount {
  std::uint64_t value = 0;

  constexpr ByteCount() = default;
  constexpr explicit ByteCount(std::uint64_t bytes) : value(bytes) {}
  friend constexpr auto operator<=>(ByteCount, ByteCount) = default;
};

constexpr ByteCount operator""_B(unsigned long long n) { return ByteCount(n); }
constexpr ByteCount operator""_KiB(unsigned long long n) { return ByteCount(n << 10); }
constexpr ByteCount operator""_MiB(unsigned long long n) { return ByteCount(n << 20); }
constexpr ByteCount operator""_GiB(unsigned long long n) { return ByteCount(n << 30); }

}  // namespace weir
