#pragma once
// Finds where a run of characters ends, 16 bytes at a time. The vectors only pass over bytes that
// are allowed for certain; what they stop at is judged by the tables of protocol/http/characters.h,
// so that they cannot allow what the tables refuse. No byte before `at` or from `end` on is read,
// but for what find_head_end() says.

#include <string_view>

#include "protocol/http/characters.h"

namespace weir::http1 {

// The first byte at or after `at` that is not of this class. There is one, before the end of the
// bytes: a line feed is in no class.
constexpr const char* skip(http::CharacterClass which, const char* at) noexcept {
  while (is_in(which, *at)) ++at;
  return at;
}

// The same, faster. `end` is the end of the bytes.
const char* skip_token(const char* at, const char* end) noexcept;
const char* skip_target(const char* at, const char* end) noexcept;
const char* skip_value(const char* at, const char* end) noexcept;

// Whether a head ends with this byte: with the line feed of an empty line; or, because parsing
// fails there, with one that has no carriage return before it. Looks at the two bytes before it.
constexpr bool is_head_end(const char* at) noexcept {
  return *at == '\n' && (at[-1] != '\r' || at[-2] == '\n');
}

// The first byte at or after `from` for which is_head_end(); npos if there is none. `from` is 2 or
// more.
std::size_t find_head_end(std::string_view bytes, std::size_t from) noexcept;

}  // namespace weir::http1
