#pragma once
// What a proxy says of the connection it passes on: the header of the PROXY protocol, version 1
// or 2 (HAProxy's proxy-protocol.txt).

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <sys/socket.h>

#include "protocol/proxy_protocol/tlv.h"

namespace weir::proxy_protocol {

inline constexpr std::size_t kV1BytesMax = 107;  // 2.1, CRLF included
inline constexpr std::size_t kHeaderBytesMax = 4 * 1024;

// Where the parts of version 2 are (2.2).
inline constexpr std::string_view kV2Signature{"\r\n\r\n\0\r\nQUIT\n", 12};
inline constexpr std::size_t kV2VersionAt = 12;
inline constexpr std::size_t kV2FamilyAt = 13;
inline constexpr std::size_t kV2LengthAt = 14;
inline constexpr std::size_t kV2AddressesAt = 16;

enum class Version : std::uint8_t { v1, v2 };

// local: the proxy speaks for itself, to probe a server (2.2).
enum class Command : std::uint8_t { local, proxy };

enum class Transport : std::uint8_t { unspecified, stream, datagram };

struct Header {
  Version version = Version::v1;
  Command command = Command::local;
  Transport transport = Transport::unspecified;
  // Of the client's connection to the proxy; both AF_INET, both AF_INET6 or both AF_UNIX. Both
  // AF_UNSPEC: the header does not say, the addresses of this connection hold.
  sockaddr_storage source{};
  sockaddr_storage destination{};
  TlvList tlvs;  // whole; a checksum among them was right
};

}  // namespace weir::proxy_protocol
