#include "net/source_address.h"

#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

#include "protocol/ip_address.h"

namespace weir::net {

std::expected<void, std::string> parse_scalar(std::string_view text, SourceAddress& out) {
  const auto ip = protocol::parse_ip(text);
  if (!ip) return std::unexpected(std::string());
  out.address = Address(*ip);
  return {};
}

std::string print_scalar(const SourceAddress& source) {
  std::array<char, INET6_ADDRSTRLEN> text;
  return std::string(protocol::print_ip(source.address.storage(), text));
}

int bind_source(int fd, const SourceAddress& source) noexcept {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const SocketAddressView view = source.address.view();
  return ::bind(fd, view.address, view.length) == 0 ? 0 : errno;
}

}  // namespace weir::net
