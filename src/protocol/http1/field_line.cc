#include "protocol/http1/field_line.h"

#include <bit>
#include <cstring>

#include "protocol/http/characters.h"

namespace weir::http1 {
namespace {

using http::CharacterClass;

// Compilers turn these into the machine's vector instructions (on x86-64, SSE2).
using Bytes16 = unsigned char __attribute__((ext_vector_type(16)));
using Bits16 = bool __attribute__((ext_vector_type(16)));

// Bit i is set if byte i is a control character, HTAB included.
unsigned find_controls(const char* at) noexcept {
  Bytes16 bytes;
  std::memcpy(&bytes, at, sizeof(bytes));
  const auto control = (bytes < 0x20) | (bytes == 0x7f);
  return std::bit_cast<std::uint16_t>(__builtin_convertvector(control, Bits16));
}

// `at` is the first byte after `name` that is no token character, and not a colon.
Rule broken_name_rule(const char* name, const char* at) noexcept {
  if (!is_white_space(*at)) return broken_rule(at, Rule::field_name_invalid);
  return at == name ? Rule::line_folded : Rule::field_name_space;
}

}  // namespace

const char* skip_value(const char* at, const char* end) noexcept {
  while (end - at >= static_cast<std::ptrdiff_t>(sizeof(Bytes16))) {
    const unsigned controls = find_controls(at);
    if (controls == 0) {
      at += sizeof(Bytes16);
      continue;
    }
    at += std::countr_zero(controls);
    if (*at != '\t') return at;
    ++at;
  }
  while (is_in(CharacterClass::value, *at)) ++at;
  return at;
}

Rule broken_rule(const char* at, Rule otherwise) noexcept {
  if (*at == '\n') return Rule::bare_lf;
  return *at == '\r' && at[1] != '\n' ? Rule::bare_cr : otherwise;
}

Rule parse_field_line(Cursor& cursor, http::Field& field) noexcept {
  const char* const name = cursor.at;
  const char* at = name;
  while (is_in(CharacterClass::token, *at)) ++at;
  if (*at != ':') [[unlikely]]
    return broken_name_rule(name, at);
  if (at == name) [[unlikely]]
    return Rule::field_name_empty;
  field.name = {name, at};
  field.id = http::find_field_id(field.name);

  ++at;
  while (is_white_space(*at)) ++at;
  const char* const value = at;
  at = skip_value(at, cursor.end);
  if (!is_at_line_end(at)) [[unlikely]]
    return broken_rule(at, Rule::field_value_invalid);
  const char* value_end = at;
  while (value_end != value && is_white_space(value_end[-1])) --value_end;
  field.value = {value, value_end};
  cursor.at = at + 2;
  return Rule::none;
}

}  // namespace weir::http1
