#pragma once
// The hash functions that a balancing key may go through. None of them keeps a client that chooses
// its keys from choosing its server.

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace weir::balance {

enum class HashFunction : std::uint8_t {
  wyhash,   // base/hash.h
  xxh64,    // xxHash, 64 bits, seed 0
  murmur3,  // MurmurHash3 x64 128, seed 0: the first 64 bits
  fnv1a,    // FNV-1a, 64 bits
  md5,      // RFC 1321: the first 8 bytes, the lowest first
};
constexpr auto names_of(HashFunction) {
  return std::to_array<std::pair<std::string_view, HashFunction>>({
      {"wyhash", HashFunction::wyhash},
      {"xxh64", HashFunction::xxh64},
      {"murmur3", HashFunction::murmur3},
      {"fnv1a", HashFunction::fnv1a},
      {"md5", HashFunction::md5},
  });
}

// Any thread; does not allocate.
std::uint64_t hash_key(HashFunction function, std::string_view bytes) noexcept;

// RFC 1321. Any thread; does not allocate.
std::array<std::uint8_t, 16> md5_digest(std::string_view bytes) noexcept;

}  // namespace weir::balance
