#pragma once
// Trailer fields of a body in chunks (RFC 9112 7.1.2, RFC 9110 6.5).

#include <cstddef>
#include <string_view>

#include "protocol/http/message.h"

namespace weir::http1 {

inline constexpr std::size_t kTrailerFieldsMax = 64;

// Reads a whole trailer section that a ChunkedDecoder has passed: lines, and an empty one. Fields
// that must not come behind a body, because they would have to be known before it (framing,
// routing, authentication, what the content is; RFC 9110 6.5.1), or that Weir itself writes, are
// left out. False: there are
// more than `fields` has room for.
[[nodiscard]] bool parse_trailers(std::string_view section, http::FieldList& fields) noexcept;

}  // namespace weir::http1
