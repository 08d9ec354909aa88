#pragma once
// Appends JSON strings (RFC 8259) and decimal numbers to text that somebody else lays out.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace weir {

// A quoted string. Whatever the bytes are, the result is one line of valid UTF-8: control bytes,
// quotes and backslashes are escaped, each byte that is not part of well-formed UTF-8 becomes
// U+FFFD.
void append_json_string(std::string& out, std::string_view bytes);

void append_number(std::string& out, std::uint64_t value);
void append_number(std::string& out, std::int64_t value);
// The shortest decimal that reads back as the same value, never in exponent form. Finite only.
void append_number(std::string& out, double value);

// A duration of at least zero in seconds with `decimals` places (1 to 9), cut, not rounded.
void append_seconds(std::string& out, Duration duration, int decimals);

}  // namespace weir
