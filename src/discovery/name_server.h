#pragma once
// NameServer: the address of a DNS server in a configuration; port 53 if none is written.

#include "config/scalars.h"
#include "net/address.h"

namespace weir::discovery {

struct NameServer {
  net::Address address;

  friend bool operator==(const NameServer&, const NameServer&) = default;
};

// For the configuration reader (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, NameServer& out);
std::string print_scalar(const NameServer& server);
constexpr config::ScalarInfo scalar_info(std::type_identity<NameServer>) {
  return {"an IP address", "10.0.0.53, 127.0.0.1:5353 or [2001:db8::53]:53", R"("type": "string")",
          config::Quotes::allowed};
}

}  // namespace weir::discovery
