#include "base/hash.h"

#include <cstring>

namespace weir {
namespace {

constexpr std::uint64_t kSecret0 = 0xa0761d6478bd642f;
constexpr std::uint64_t kSecret1 = 0xe7037ed1a0b428db;

std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t load64(const char* at) noexcept {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) noexcept {
  std::uint64_t state = seed ^ kSecret0;
  // A block that makes the first factor zero wipes the state: only who knows the seed can write it.
  const std::uint64_t key = kSecret1 ^ mix64(seed);
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 16; at += 16, left -= 16) {
    state = fold(load64(at) ^ key, load64(at + 8) ^ state);
  }
  char tail[16] = {};
  if (left != 0) std::memcpy(tail, at, left);
  state = fold(load64(tail) ^ key, load64(tail + 8) ^ state);
  return mix64(state ^ bytes.size());
}

}  // namespace weir
