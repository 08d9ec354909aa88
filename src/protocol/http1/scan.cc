#include "protocol/http1/scan.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "base/assert.h"

namespace weir::http1 {
namespace {

using http::CharacterClass;

// Compilers turn these into the machine's vector instructions (on x86-64, SSE2).
using Bytes = unsigned char __attribute__((ext_vector_type(16)));
using Flags = bool __attribute__((ext_vector_type(16)));
using Mask = decltype(Bytes() == Bytes());
constexpr std::ptrdiff_t kBytes = sizeof(Bytes);

[[gnu::always_inline]] inline Bytes load(const char* at) noexcept {
  Bytes bytes;
  std::memcpy(&bytes, at, sizeof(bytes));
  return bytes;
}

// Bit i is set if the mask is for byte i.
[[gnu::always_inline]] inline unsigned to_bits(Mask mask) noexcept {
  return std::bit_cast<std::uint16_t>(__builtin_convertvector(mask, Flags));
}

// All but letters, digits and '-', of which nearly all names consist.
Mask find_rare_in_names(Bytes bytes) noexcept {
  const auto letters = ((bytes | 0x20) - 'a') < 26;
  const auto digits = (bytes - '0') < 10;
  return ~(letters | digits | (bytes == '-'));
}

Mask find_not_in_targets(Bytes bytes) noexcept {
  return (bytes <= 0x20) | (bytes >= 0x7f) | (bytes == '#');
}

// HTAB, which is allowed, among them.
Mask find_controls(Bytes bytes) noexcept { return (bytes < 0x20) | (bytes == 0x7f); }

// `find_suspects` finds all bytes that are not of this class, and may find others.
[[gnu::always_inline]] inline const char* skip_blocks(CharacterClass which,
                                                      Mask (*find_suspects)(Bytes) noexcept,
                                                      const char* at, const char* end) noexcept {
  while (end - at >= kBytes) {
    const unsigned suspects = to_bits(find_suspects(load(at)));
    if (suspects == 0) {
      at += kBytes;
      continue;
    }
    at += std::countr_zero(suspects);
    if (!is_in(which, *at)) return at;
    ++at;
  }
  return skip(which, at);
}

}  // namespace

const char* skip_token(const char* at, const char* end) noexcept {
  return skip_blocks(CharacterClass::token, &find_rare_in_names, at, end);
}

const char* skip_target(const char* at, const char* end) noexcept {
  return skip_blocks(CharacterClass::target, &find_not_in_targets, at, end);
}

const char* skip_value(const char* at, const char* end) noexcept {
  return skip_blocks(CharacterClass::value, &find_controls, at, end);
}

std::size_t find_head_end(std::string_view bytes, std::size_t from) noexcept {
  WEIR_ASSERT(from >= 2);
  std::size_t at = from;
  for (; at + sizeof(Bytes) <= bytes.size(); at += sizeof(Bytes)) {
    const char* const block = bytes.data() + at;
    const Mask has_return = load(block - 1) == '\r';
    const Mask is_after_line = load(block - 2) == '\n';
    const unsigned ends = to_bits((load(block) == '\n') & (~has_return | is_after_line));
    if (ends != 0) return at + std::countr_zero(ends);
  }
  for (; at < bytes.size(); ++at) {
    if (is_head_end(bytes.data() + at)) return at;
  }
  return std::string_view::npos;
}

}  // namespace weir::http1
