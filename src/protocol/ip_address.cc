#include "protocol/ip_address.h"

#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace weir::protocol {
namespace {

constexpr std::string_view kMappedPrefix{"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};

// The port has the same place in both families.
static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
constexpr std::size_t kPortAt = offsetof(sockaddr_in, sin_port);

char* bytes_of(sockaddr_storage& address) noexcept { return reinterpret_cast<char*>(&address); }

bool is_ip(const sockaddr_storage& address) noexcept {
  return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

std::size_t ip_offset(sa_family_t family) noexcept {
  return family == AF_INET ? offsetof(sockaddr_in, sin_addr) : offsetof(sockaddr_in6, sin6_addr);
}

}  // namespace

std::optional<sockaddr_storage> parse_ip(std::string_view text) noexcept {
  char terminated[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof(terminated) || text.contains('\0')) return std::nullopt;
  terminated[text.copy(terminated, text.size())] = '\0';
  sockaddr_storage address{};
  for (const sa_family_t family : {AF_INET, AF_INET6}) {
    address.ss_family = family;
    if (inet_pton(family, terminated, bytes_of(address) + ip_offset(family)) == 1) return address;
  }
  return std::nullopt;
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || at != end) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return port;
}

sockaddr_storage make_ip(std::string_view bytes, std::uint16_t port) noexcept {
  WEIR_ASSERT(bytes.size() == sizeof(in_addr) || bytes.size() == sizeof(in6_addr));
  sockaddr_storage address{};
  address.ss_family = bytes.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
  bytes.copy(bytes_of(address) + ip_offset(address.ss_family), bytes.size());
  const std::uint16_t in_network_order = htons(port);
  std::memcpy(bytes_of(address) + kPortAt, &in_network_order, sizeof(port));
  return address;
}

std::string_view ip_bytes(const sockaddr_storage& address) noexcept {
  if (!is_ip(address)) return {};
  return {reinterpret_cast<const char*>(&address) + ip_offset(address.ss_family),
          address.ss_family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr)};
}

std::uint16_t port_of(const sockaddr_storage& address) noexcept {
  if (!is_ip(address)) return 0;
  std::uint16_t in_network_order;
  std::memcpy(&in_network_order, reinterpret_cast<const char*>(&address) + kPortAt,
              sizeof(in_network_order));
  return ntohs(in_network_order);
}

std::string_view print_ip(const sockaddr_storage& address,
                          std::span<char, INET6_ADDRSTRLEN> out) noexcept {
  if (!is_ip(address)) return {};
  return inet_ntop(address.ss_family, ip_bytes(address).data(), out.data(), out.size());
}

sockaddr_storage unmap_ipv4(const sockaddr_storage& address) noexcept {
  const std::string_view bytes = ip_bytes(address);
  if (bytes.size() != sizeof(in6_addr) || !bytes.starts_with(kMappedPrefix)) return address;
  return make_ip(bytes.substr(kMappedPrefix.size()), port_of(address));
}

sockaddr_storage map_ipv4(const sockaddr_storage& address) noexcept {
  if (address.ss_family != AF_INET) return address;
  char bytes[sizeof(in6_addr)];
  kMappedPrefix.copy(bytes, kMappedPrefix.size());
  ip_bytes(address).copy(bytes + kMappedPrefix.size(), sizeof(in_addr));
  return make_ip({bytes, sizeof(bytes)}, port_of(address));
}

}  // namespace weir::protocol
