#include "protocol/http1/field_line.h"

#include "protocol/http1/scan.h"

namespace weir::http1 {
namespace {

// `at` is the first byte after `name` that is no token character, and not a colon.
Rule broken_name_rule(const char* name, const char* at) noexcept {
  if (!is_white_space(*at)) return broken_rule(at, Rule::field_name_invalid);
  return at == name ? Rule::line_folded : Rule::field_name_space;
}

}  // namespace

Rule broken_rule(const char* at, Rule otherwise) noexcept {
  if (*at == '\n') return Rule::bare_lf;
  return *at == '\r' && at[1] != '\n' ? Rule::bare_cr : otherwise;
}

Rule parse_field_line(Cursor& cursor, http::Field& field) noexcept {
  const char* const name = cursor.at;
  const char* at = skip_token(name, cursor.end);
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
