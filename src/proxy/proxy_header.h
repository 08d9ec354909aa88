#pragma once
// The header of the PROXY protocol: what a connection of a trusted proxy begins with, and what
// servers are told of the client's connection.

#include <optional>
#include <span>

#include "backend/backend_settings.h"
#include "protocol/proxy_protocol/header.h"
#include "proxy/proxy_worker.h"

namespace weir::proxy {

// What a header said of the client's connection. The TLVs lie in `bytes`.
struct AnnouncedConnection {
  proxy_protocol::Header header;
  Buffer bytes;
};

// Whether the listener wants a header and trusts the peer; nobody else's is read as one.
bool expects_proxy_header(const ClientConnection& connection) noexcept;

// Reads the header, and nothing behind it, within timeouts.client_head. connection.peer is then the
// client. client_closed: the connection ended before it had said anything.
Task<Result<void>> read_proxy_header(ClientConnection& connection);

// The most that write_proxy_header() writes.
inline constexpr std::size_t kProxyHeaderBytesMax = proxy_protocol::kHeaderBytesMax + 64;

// What servers get before anything else; version 2 with the TLVs that the client's proxy sent, if
// they fit.
std::size_t write_proxy_header(const ClientConnection& connection, backend::ProxyProtocol version,
                               std::span<char, kProxyHeaderBytesMax> out) noexcept;

}  // namespace weir::proxy
