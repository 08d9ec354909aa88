#pragma once
// Bytes that can be checked wherever they turn up: byte i of a stream is derived from the stream's
// number and i.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace weir::sim {

inline char pattern_byte(std::uint64_t stream, std::uint64_t at) noexcept {
  return static_cast<char>('!' + mix64(stream * 0x9e3779b97f4a7c15 + at) % 94);
}

inline std::string pattern(std::uint64_t stream, std::uint64_t from, std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = pattern_byte(stream, from + i);
  return bytes;
}

inline bool is_pattern(std::uint64_t stream, std::uint64_t from, std::string_view bytes) noexcept {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != pattern_byte(stream, from + i)) return false;
  }
  return true;
}

}  // namespace weir::sim
