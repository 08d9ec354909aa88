#pragma once
// A fast non-cryptographic 64-bit hash of bytes: wyhash's multiply-and-fold over 16-byte steps.
// Not for untrusted keys without a secret seed.

#include <cstdint>
#include <string_view>

namespace weir {

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed = 0) noexcept;

// splitmix64's finisher: every input bit changes every output bit with probability 1/2.
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace weir
