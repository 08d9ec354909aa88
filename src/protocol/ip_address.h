#pragma once
// IP addresses and ports as headers carry them: in text, and in the sockaddr_storage that sockets
// take. An address of family AF_UNSPEC says that there is none.

#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <span>
#include <string_view>
#include <sys/socket.h>

#include "base/assert.h"

namespace weir::protocol {

// 192.0.2.1 or 2001:db8::1, without brackets or zone; port 0. IPv4 numbers have no leading zero,
// which would mean octal to some.
std::optional<sockaddr_storage> parse_ip(std::string_view text) noexcept;

// 0 to 65535 in decimal, without leading zero.
std::optional<std::uint16_t> parse_port(std::string_view text) noexcept;

// `bytes` in network order: 4 are IPv4, 16 are IPv6.
sockaddr_storage make_ip(std::string_view bytes, std::uint16_t port) noexcept;

// In network order: 4 or 16 bytes; empty for any other family.
std::string_view ip_bytes(const sockaddr_storage& address WEIR_LIFETIMEBOUND) noexcept;

// 0 for any other family.
std::uint16_t port_of(const sockaddr_storage& address) noexcept;

// What parse_ip reads, written to `out`; empty for any other family.
std::string_view print_ip(const sockaddr_storage& address,
                          std::span<char, INET6_ADDRSTRLEN> out WEIR_LIFETIMEBOUND) noexcept;

// An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2), which is what a socket for both calls an IPv4
// client, as the IPv4 address; any other as it is.
sockaddr_storage unmap_ipv4(const sockaddr_storage& address) noexcept;

// The reverse: an IPv4 address as the IPv4-mapped IPv6 address; any other as it is.
sockaddr_storage map_ipv4(const sockaddr_storage& address) noexcept;

}  // namespace weir::protocol
