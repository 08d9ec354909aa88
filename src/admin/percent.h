#pragma once
// Percent-encoding of names in URLs (RFC 3986 2.1).

#include <optional>
#include <string>
#include <string_view>

namespace weir::admin {

// Decodes each escape once; nullopt if one is malformed.
std::optional<std::string> decode_percent(std::string_view text);
// As a segment of a path, or a name or value of a query: all but unreserved characters is escaped.
std::string encode_percent(std::string_view text);

}  // namespace weir::admin
