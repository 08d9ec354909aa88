#pragma once
// The path that routes are matched with (RFC 3986 5.2.4 and 6.2.2). Servers decode a path before
// they look at it, so a rule about /admin must also see /%61dmin and /x/..%2fadmin. What is
// forwarded is the path as received.

#include <optional>
#include <span>
#include <string_view>

#include "base/assert.h"

namespace weir::http {

// Decodes every percent escape once, as servers do ("%2f" becomes a separator, "%2541" stays
// "%41"), resolves "." and "..", and merges repeated slashes. The result starts with '/' and is
// never longer than `raw`; it is `raw` itself if nothing had to change, else a view of `out`, whose
// size must be at least that of `raw`. "*" is itself. nullopt, and the request is a bad one: it is
// not absolute, an escape is malformed or of NUL, or
// ".." climbs above the root.
std::optional<std::string_view> normalize_path(std::string_view raw WEIR_LIFETIMEBOUND,
                                               std::span<char> out WEIR_LIFETIMEBOUND) noexcept;

}  // namespace weir::http
