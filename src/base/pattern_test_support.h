#pragma once
// Bytes that tests send and look for.

#include <cstddef>
#include <string>

namespace weir {

// A pattern whose every place can be told from its neighbours.
inline std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>((i * 131 + i / 251) % 256);
  return text;
}

}  // namespace weir
