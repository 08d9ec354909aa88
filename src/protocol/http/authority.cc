#include "protocol/http/authority.h"

#include <arpa/inet.h>
#include <cstring>

#include "protocol/http/characters.h"

namespace weir::http {
namespace {

bool is_ipv6_address(std::string_view text) noexcept {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof(terminated)) return false;
  std::memcpy(terminated, text.data(), text.size());
  in6_addr address;
  return std::strlen(terminated) == text.size() && inet_pton(AF_INET6, terminated, &address) == 1;
}

// Length of the host that `text` starts with, 0 if it starts with none.
std::size_t find_host_end(std::string_view text) noexcept {
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return 0;
    return is_ipv6_address(text.substr(1, bracket - 1)) ? bracket + 1 : 0;
  }
  std::size_t at = 0;
  while (at < text.size()) {
    if (is_in(CharacterClass::reg_name, text[at])) {
      ++at;
    } else if (text[at] == '%' && text.size() - at > 2 && hex_value(text[at + 1]) >= 0 &&
               hex_value(text[at + 2]) >= 0) {
      at += 3;
    } else {
      break;
    }
  }
  return at;
}

// RFC 3986 lets a port be empty.
bool is_port(std::string_view text) noexcept {
  if (text.size() > 5) return false;
  unsigned port = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port <= 65535;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) noexcept {
  const std::size_t host_end = find_host_end(text);
  if (host_end == 0) return std::nullopt;
  Authority authority{.host = text.substr(0, host_end), .port = {}};
  if (host_end == text.size()) return authority;
  authority.port = text.substr(host_end + 1);
  if (text[host_end] != ':' || !is_port(authority.port)) return std::nullopt;
  return authority;
}

}  // namespace weir::http
