#include "proxy/proxy_header.h"

#include <algorithm>
#include <array>
#include <sys/socket.h>

#include "protocol/ip_address.h"
#include "protocol/proxy_protocol/parse_header.h"
#include "protocol/proxy_protocol/write_header.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

namespace pp = proxy_protocol;

constexpr std::size_t kTlvsPassedOn = 16;

// How many bytes are part of the header for certain: what follows it is not for us to read.
std::size_t certain_bytes(std::string_view read) noexcept {
  constexpr std::size_t kShortestV1 = 15;  // "PROXY UNKNOWN" and the end of the line
  if (read.size() < kShortestV1) return kShortestV1 - read.size();
  if (!read.starts_with(pp::kV2Signature)) return read.ends_with('\r') ? 1 : 2;
  if (read.size() < pp::kV2AddressesAt) return pp::kV2AddressesAt - read.size();
  return pp::kV2AddressesAt + pp::read_uint16(read.substr(pp::kV2LengthAt)) - read.size();
}

// connection.peer, with the path that it leaves out.
sockaddr_storage source_of(const ClientConnection& connection) noexcept {
  if (!connection.peer.is_unix()) return connection.peer.storage();
  if (connection.announced != nullptr) {
    const sockaddr_storage& announced = connection.announced->header.source;
    if (announced.ss_family == AF_UNIX) return announced;
  }
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  auto* const base = reinterpret_cast<sockaddr*>(&peer);
  if (::getpeername(connection.stream.socket().fd(), base, &length) != 0) return {};
  return peer;
}

// The client's own destination, if it is known.
sockaddr_storage destination_of(const ClientConnection& connection) noexcept {
  if (connection.announced != nullptr) {
    const sockaddr_storage& announced = connection.announced->header.destination;
    if (announced.ss_family != AF_UNSPEC) return announced;
  }
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  auto* const base = reinterpret_cast<sockaddr*>(&local);
  if (::getsockname(connection.stream.socket().fd(), base, &length) != 0) return {};
  return local;
}

}  // namespace

bool expects_proxy_header(const ClientConnection& connection) noexcept {
  const Listener& listener = connection.listener->listener();
  return listener.proxy_protocol && listener.trusted_proxies.contains(connection.peer);
}

Task<Result<void>> read_proxy_header(ClientConnection& connection) {
  Worker& worker = connection.worker.worker();
  const TimePoint due = worker.now() + connection.listener->listener().timeouts.client_head;
  auto announced = std::make_unique<AnnouncedConnection>();
  announced->bytes = worker.buffers().take(pp::kHeaderBytesMax);
  if (!announced->bytes) co_return fail(ErrorKind::buffers_exhausted, Side::weir);
  const std::span<char> space = announced->bytes.span().first(pp::kHeaderBytesMax);
  std::size_t size = 0;
  for (;;) {
    const std::string_view read(space.data(), size);
    const pp::ParseResult parsed = pp::parse_header(read, announced->header);
    if (parsed.status == pp::ParseStatus::complete) break;
    const std::size_t wanted = certain_bytes(read);
    if (parsed.status == pp::ParseStatus::failed || wanted > space.size() - size) {
      co_return fail(ErrorKind::bad_proxy_header, Side::client);
    }
    const IoCount count = connection.stream.try_receive(space.subspan(size, wanted));
    if (count.is_would_block()) {
      const auto readable = co_await connection.stream.readable(due);
      if (readable) continue;
      const bool is_late = readable.error().kind == ErrorKind::timeout;
      co_return is_late ? fail(ErrorKind::client_head_timeout, Side::client)
                        : fail(readable.error());
    }
    if (count.is_failure()) co_return fail(net::stream_error(count.os_error(), Side::client));
    if (count.bytes() == 0) {
      co_return fail(size == 0 ? ErrorKind::client_closed : ErrorKind::bad_proxy_header,
                     Side::client);
    }
    size += count.bytes();
  }
  if (announced->header.source.ss_family != AF_UNSPEC) {
    connection.peer = net::PeerAddress(protocol::unmap_ipv4(announced->header.source));
  }
  if (announced->header.tlvs.bytes().empty()) announced->bytes.release();
  connection.announced = std::move(announced);
  co_return Result<void>();
}

std::size_t write_proxy_header(const ClientConnection& connection, backend::ProxyProtocol version,
                               std::span<char, kProxyHeaderBytesMax> out) noexcept {
  const sockaddr_storage source = source_of(connection);
  const sockaddr_storage destination = destination_of(connection);
  if (version == backend::ProxyProtocol::v1) {
    return pp::write_v1(out, source, destination).value_or(0);
  }
  std::array<pp::Tlv, kTlvsPassedOn> tlvs;
  std::size_t count = 0;
  if (connection.announced != nullptr) {
    for (const pp::Tlv& tlv : connection.announced->header.tlvs) {
      if (tlv.type != pp::TlvType::crc32c && count < tlvs.size()) tlvs[count++] = tlv;
    }
  }
  const auto written =
      pp::write_v2(out, source, destination, {.tlvs = std::span(tlvs).first(count)});
  if (written) return *written;
  return pp::write_v2(out, source, destination, {}).value_or(0);
}

}  // namespace weir::proxy
