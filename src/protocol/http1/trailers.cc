#include "protocol/http1/trailers.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "protocol/http1/field_line.h"

namespace weir::http1 {
namespace {

constexpr std::array<std::string_view, 43> kForbidden = {"age",
                                                         "authorization",
                                                         "cache-control",
                                                         "connection",
                                                         "content-encoding",
                                                         "content-length",
                                                         "content-range",
                                                         "content-type",
                                                         "cookie",
                                                         "date",
                                                         "expect",
                                                         "expires",
                                                         "forwarded",
                                                         "host",
                                                         "if-match",
                                                         "if-modified-since",
                                                         "if-none-match",
                                                         "if-range",
                                                         "if-unmodified-since",
                                                         "keep-alive",
                                                         "location",
                                                         "max-forwards",
                                                         "pragma",
                                                         "proxy-authenticate",
                                                         "proxy-authorization",
                                                         "proxy-connection",
                                                         "range",
                                                         "retry-after",
                                                         "server",
                                                         "set-cookie",
                                                         "te",
                                                         "trailer",
                                                         "transfer-encoding",
                                                         "upgrade",
                                                         "vary",
                                                         "via",
                                                         "www-authenticate",
                                                         "x-forwarded-for",
                                                         "x-forwarded-host",
                                                         "x-forwarded-port",
                                                         "x-forwarded-proto",
                                                         "x-real-ip",
                                                         "x-request-id"};

bool is_forbidden(std::string_view name) noexcept {
  return std::ranges::any_of(kForbidden, [name](std::string_view forbidden) {
    return http::equals_ignoring_case(name, forbidden);
  });
}

}  // namespace

bool parse_trailers(std::string_view section, http::FieldList& fields) noexcept {
  Cursor cursor{.at = section.data(), .end = section.data() + section.size()};
  while (!is_at_line_end(cursor.at)) {
    http::Field field;
    const Rule broken = parse_field_line(cursor, field);
    WEIR_ASSERT(broken == Rule::none);
    static_cast<void>(broken);
    if (!is_forbidden(field.name) && !fields.add(field)) return false;
  }
  return true;
}

}  // namespace weir::http1
