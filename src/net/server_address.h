#pragma once
// ServerAddress: where a configuration says that a server is: an address, whose port may be left
// out, or a host name with a port (RFC 952, RFC 1123 2.1; '_' is allowed, as in names of services).

#include <string>
#include <string_view>

#include "config/scalars.h"
#include "net/address.h"

namespace weir::net {

// Addresses that one server is used at; of a name that has more, the others are left out.
inline constexpr std::size_t kServerAddressesMax = 16;

struct ServerAddress {
  Address address;   // port 0: the listener's; with a name its port alone counts
  std::string host;  // a name to be resolved; empty: there is none

  bool is_name() const noexcept { return !host.empty(); }
  // As it is written: 10.0.0.1:80, app.internal:80, unix:/run/x.sock.
  std::string to_string() const;

  friend bool operator==(const ServerAddress&, const ServerAddress&) = default;
};

// For the configuration reader (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, ServerAddress& out);
std::string print_scalar(const ServerAddress& address);
constexpr config::ScalarInfo scalar_info(std::type_identity<ServerAddress>) {
  return {"an address",
          "10.0.0.1:8080, 10.0.0.1, [::1]:8080, app.internal:8080 or unix:/run/app.sock",
          R"("type": "string")", config::Quotes::allowed};
}

}  // namespace weir::net
