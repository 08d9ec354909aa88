#pragma once
// Writes the header of the PROXY protocol that goes to a server before any other byte.
//
// IPv4-mapped IPv6 addresses are written as the IPv4 addresses they are; where only one address is
// IPv4, both are written as IPv6. Addresses that cannot be said are written as UNKNOWN (2.1) or
// UNSPEC (2.2).
//
// nullopt: the header does not fit in `out`; what is in there then means nothing.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <sys/socket.h>

#include "protocol/proxy_protocol/header.h"
#include "protocol/proxy_protocol/tlv.h"

namespace weir::proxy_protocol {

// Version 1: TCP over IPv4 or IPv6, else UNKNOWN. kV1BytesMax bytes always suffice.
std::optional<std::size_t> write_v1(std::span<char> out, const sockaddr_storage& source,
                                    const sockaddr_storage& destination) noexcept;

enum class Checksum : std::uint8_t { omit, add };

struct V2Options {
  Transport transport = Transport::stream;
  std::span<const Tlv> tlvs =
      {};  // in this order; neither TlvType::crc32c nor longer than 65535 bytes
  Checksum checksum = Checksum::omit;
};

// Version 2: IPv4, IPv6 or unix addresses, else UNSPEC, as it is for an unspecified transport.
std::optional<std::size_t> write_v2(std::span<char> out, const sockaddr_storage& source,
                                    const sockaddr_storage& destination,
                                    const V2Options& options) noexcept;

// Version 2, LOCAL: Weir speaks for itself, as probes do.
std::optional<std::size_t> write_v2_local(std::span<char> out) noexcept;

}  // namespace weir::proxy_protocol
