#include "discovery/name_server.h"

namespace weir::discovery {
namespace {

constexpr std::uint16_t kDnsPort = 53;

}  // namespace

std::expected<void, std::string> parse_scalar(std::string_view text, NameServer& out) {
  auto address = net::Address::parse_with_optional_port(text);
  if (!address || address->is_unix() || text.starts_with(':')) {
    return std::unexpected(std::string());
  }
  if (address->port() == 0) address->set_port(kDnsPort);
  out.address = *address;
  return {};
}

std::string print_scalar(const NameServer& server) { return server.address.to_string(); }

}  // namespace weir::discovery
