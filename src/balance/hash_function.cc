#include "balance/hash_function.h"

#include <bit>
#include <cstring>
#include <md5.h>
#include <xxhash.h>

#include "base/hash.h"

namespace weir::balance {
namespace {

static_assert(std::endian::native == std::endian::little);

std::uint64_t load64(const void* at) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint64_t fnv1a(std::string_view bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3;
  }
  return hash;
}

// MurmurHash3_x64_128 (Austin Appleby). A block is two words; each is scrambled by its own pair of
// multipliers and stirred into its half of the state.
constexpr std::uint64_t kMurmur1 = 0x87c37b91114253d5;
constexpr std::uint64_t kMurmur2 = 0x4cf5ad432745937f;

std::uint64_t scramble_first(std::uint64_t word) noexcept {
  return std::rotl(word * kMurmur1, 31) * kMurmur2;
}
std::uint64_t scramble_second(std::uint64_t word) noexcept {
  return std::rotl(word * kMurmur2, 33) * kMurmur1;
}
std::uint64_t finish_murmur3(std::uint64_t x) noexcept {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccd;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53;
  return x ^ (x >> 33);
}

std::uint64_t murmur3(std::string_view bytes) noexcept {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 16; at += 16, left -= 16) {
    first ^= scramble_first(load64(at));
    first = (std::rotl(first, 27) + second) * 5 + 0x52dce729;
    second ^= scramble_second(load64(at + 8));
    second = (std::rotl(second, 31) + first) * 5 + 0x38495ab5;
  }
  char tail[16] = {};
  if (left != 0) std::memcpy(tail, at, left);
  first ^= scramble_first(load64(tail));
  second ^= scramble_second(load64(tail + 8));

  first ^= bytes.size();
  second ^= bytes.size();
  first += second;
  second += first;
  return finish_murmur3(first) + finish_murmur3(second);
}

}  // namespace

std::array<std::uint8_t, 16> md5_digest(std::string_view bytes) noexcept {
  MD5_CTX context;
  MD5Init(&context);
  MD5Update(&context, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  std::array<std::uint8_t, 16> digest;
  MD5Final(digest.data(), &context);
  return digest;
}

std::uint64_t hash_key(HashFunction function, std::string_view bytes) noexcept {
  switch (function) {
    case HashFunction::wyhash:
      return hash_bytes(bytes);
    case HashFunction::xxh64:
      return XXH64(bytes.data(), bytes.size(), 0);
    case HashFunction::murmur3:
      return murmur3(bytes);
    case HashFunction::fnv1a:
      return fnv1a(bytes);
    case HashFunction::md5:
      return load64(md5_digest(bytes).data());
  }
  __builtin_unreachable();
}

}  // namespace weir::balance
