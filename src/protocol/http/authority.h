#pragma once
// The authority of a request: a host and an optional port (RFC 9110 4.2 and 7.2, RFC 3986 3.2).

#include <optional>
#include <string_view>

namespace weir::http {

struct Authority {
  std::string_view host;  // never empty; an IPv6 address with its brackets
  std::string_view port;  // decimal, at most 65535; empty if there is none
};

// Views of `text`; nullopt if it is no authority or has user information, which http forbids.
std::optional<Authority> parse_authority(std::string_view text) noexcept;

}  // namespace weir::http
