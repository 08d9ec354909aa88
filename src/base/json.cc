#include "base/json.h"

#include <charconv>
#include <cmath>

#include "base/assert.h"

namespace weir {
namespace {

// The length of the well-formed UTF-8 sequence that `bytes` starts with (RFC 3629 4), 0 if there is
// none.
std::size_t utf8_length(std::string_view bytes) noexcept {
  const auto at = [bytes](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u;
  };
  const auto continues = [&at](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
  const unsigned first = at(0);
  if (first < 0x80) return bytes.empty() ? 0 : 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && at(1) < 0xa0;
    const bool surrogate = first == 0xed && at(1) > 0x9f;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && at(1) < 0x90;
    const bool too_large = first == 0xf4 && at(1) > 0x8f;
    return continues(1) && continues(2) && continues(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

void append_escaped_ascii(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte != 0x7f) {
    out += c;
    return;
  }
  out += "\\u00";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

template <class Number, class... Format>
void append_chars(std::string& out, Number value, Format... format) {
  char text[400];  // a double in fixed form has at most 310 digits before the point
  const std::to_chars_result result = std::to_chars(text, text + sizeof text, value, format...);
  out.append(text, result.ptr);
}

}  // namespace

void append_json_string(std::string& out, std::string_view bytes) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  out += '"';
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) {
      out += kReplacement;
    } else if (length == 1) {
      append_escaped_ascii(out, bytes.front());
    } else {
      out += bytes.substr(0, length);
    }
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void append_number(std::string& out, std::uint64_t value) { append_chars(out, value); }
void append_number(std::string& out, std::int64_t value) { append_chars(out, value); }
void append_number(std::string& out, double value) {
  WEIR_ASSERT(std::isfinite(value));
  append_chars(out, value, std::chars_format::fixed);
}

void append_seconds(std::string& out, Duration duration, int decimals) {
  WEIR_ASSERT(duration >= Duration::zero());
  WEIR_ASSERT(decimals >= 1 && decimals <= 9);
  constexpr std::uint64_t kPerSecond = 1'000'000'000;
  const auto nanoseconds = static_cast<std::uint64_t>(duration.count());
  append_chars(out, nanoseconds / kPerSecond);
  char digits[9];
  std::uint64_t rest = nanoseconds % kPerSecond;
  for (int i = 8; i >= 0; --i, rest /= 10) digits[i] = static_cast<char>('0' + rest % 10);
  out += '.';
  out.append(digits, static_cast<std::size_t>(decimals));
}

}  // namespace weir
