#pragma once
// Which bytes may stand where in HTTP (RFC 9110 5.5 and 5.6.2, RFC 3986 2): one table lookup a
// byte.

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::http {

enum class CharacterClass : std::uint8_t {
  token = 1,     // of methods and field names: tchar
  value = 2,     // of field values: SP, HTAB, visible ASCII and obs-text (0x80 to 0xff)
  target = 4,    // of a request target: visible ASCII but '#', which starts a fragment
  reg_name = 8,  // of a host name: unreserved and sub-delims; not the '%' of an escape
};

namespace characters {

constexpr bool is_alphanumeric(unsigned c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr bool is_one_of(unsigned c, std::string_view set) noexcept {
  return c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
}

constexpr std::array<std::uint8_t, 256> make_classes() noexcept {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool visible = c > 0x20 && c < 0x7f;
    unsigned of = 0;
    if (is_alphanumeric(c) || is_one_of(c, "!#$%&'*+-.^_`|~")) of |= 1;
    if (visible || c == ' ' || c == '\t' || c >= 0x80) of |= 2;
    if (visible && c != '#') of |= 4;
    if (is_alphanumeric(c) || is_one_of(c, "-._~!$&'()*+,;=")) of |= 8;
    classes[c] = static_cast<std::uint8_t>(of);
  }
  return classes;
}

constexpr std::array<std::int8_t, 256> make_hex_values() noexcept {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (int digit = 0; digit < 16; ++digit) {
    values[static_cast<unsigned char>("0123456789abcdef"[digit])] = static_cast<std::int8_t>(digit);
    values[static_cast<unsigned char>("0123456789ABCDEF"[digit])] = static_cast<std::int8_t>(digit);
  }
  return values;
}

inline constexpr auto kClasses = make_classes();
inline constexpr auto kHexValues = make_hex_values();

}  // namespace characters

constexpr bool is_in(CharacterClass which, char c) noexcept {
  const unsigned classes = characters::kClasses[static_cast<unsigned char>(c)];
  return (classes & static_cast<unsigned>(which)) != 0;
}

// 0 to 15; -1 if it is no hexadecimal digit.
constexpr int hex_value(char c) noexcept {
  return characters::kHexValues[static_cast<unsigned char>(c)];
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

}  // namespace weir::http
