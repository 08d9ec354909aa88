#pragma once
// Reads the field lines of a head (RFC 9112 5).

#include "protocol/http/message.h"
#include "protocol/http1/rule.h"

namespace weir::http1 {

// A part of a head that is being read. The last byte before `end` is a line feed, and no rule lets
// a line feed pass but as the end of a line; so a loop over any class of characters ends there, and
// the byte after a carriage return can always be read.
struct Cursor {
  const char* at;
  const char* end;
};

// Reads "name: value CRLF" and moves the cursor past it. Sets the field's name, value and id. The
// cursor must not be at the empty line.
Rule parse_field_line(Cursor& cursor, http::Field& field) noexcept;

// The rule that the byte at `at` breaks, which is none that may stand there: those of line ends,
// and `otherwise` where a line ends properly, but too early.
Rule broken_rule(const char* at, Rule otherwise) noexcept;

inline bool is_at_line_end(const char* at) noexcept { return at[0] == '\r' && at[1] == '\n'; }
inline bool is_white_space(char c) noexcept { return c == ' ' || c == '\t'; }

}  // namespace weir::http1
