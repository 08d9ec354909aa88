#pragma once
// Host names of requests, and the patterns that routes match them with.

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/assert.h"
#include "config/scalars.h"

namespace weir::proxy {

// DNS allows 253 bytes; the rest is room for a name nobody can have.
inline constexpr std::size_t kHostBytesMax = 255;
using HostBuffer = std::array<char, kHostBytesMax>;

// The host of an authority (RFC 3986 3.2) as patterns are compared with it: lower case, without
// port and without the dot of a fully qualified name; an IPv6 literal keeps its brackets. An empty
// authority gives an empty host. nullopt: longer than kHostBytesMax, or not a host with an optional
// port. The view is into the buffer.
std::optional<std::string_view> normalize_host(std::string_view authority,
                                               HostBuffer& buffer WEIR_LIFETIMEBOUND) noexcept;

struct HostPattern {
  enum class Kind : std::uint8_t {
    any,     // *
    exact,   // api.example.com
    suffix,  // *.example.com: one label or more before it, so not example.com itself
    prefix,  // api-beta.*: one label or more behind it
  };
  Kind kind = Kind::any;
  std::string text = {};  // normalised, without the asterisk and the dot beside it; empty for any

  friend bool operator==(const HostPattern&, const HostPattern&) = default;
};

// How a configuration reads and shows one (config/scalars.h). Case and a trailing dot mean nothing.
std::expected<void, std::string> parse_scalar(std::string_view text, HostPattern& out);
std::string print_scalar(const HostPattern& pattern);
constexpr config::ScalarInfo scalar_info(std::type_identity<HostPattern>) {
  return {"a host name", "api.example.com or *.example.com", R"("type": "string")",
          config::Quotes::allowed};
}

}  // namespace weir::proxy
