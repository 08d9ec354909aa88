#pragma once
// SourceAddress: an IP address of this machine that connections to servers come from.

#include "net/address.h"

namespace weir::net {

struct SourceAddress {
  Address address;  // port 0
  friend bool operator==(const SourceAddress&, const SourceAddress&) = default;
};

std::expected<void, std::string> parse_scalar(std::string_view text, SourceAddress& out);
std::string print_scalar(const SourceAddress& source);
constexpr config::ScalarInfo scalar_info(std::type_identity<SourceAddress>) {
  return {"an IP address", "192.0.2.1 or 2001:db8::1", R"("type": "string")",
          config::Quotes::allowed};
}

// Before the socket connects, which chooses a port: one that is free for that destination, so that
// ports do not run out. 0 or an errno.
int bind_source(int fd, const SourceAddress& source) noexcept;

}  // namespace weir::net
