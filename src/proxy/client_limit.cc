#include "proxy/client_limit.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "protocol/ip_address.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

std::uint64_t make_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// The first `bits` of 64 in network order.
std::uint64_t mask(std::uint64_t bits) noexcept {
  if (bits >= 64) return UINT64_MAX;
  return bits == 0 ? 0 : ~(UINT64_MAX >> bits);
}

std::uint64_t read_number(std::string_view bytes) noexcept {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<std::uint8_t>(byte);
  return number;
}

}  // namespace

ClientLimit::ClientLimit(const ClientPrefixes& prefixes, std::size_t clients_max)
    : prefixes_(prefixes), counts_(clients_max, make_seed()) {}

SharedCounts::Key ClientLimit::key_of(const net::PeerAddress& client) const noexcept {
  const sockaddr_storage plain = protocol::unmap_ipv4(client.storage());
  const sockaddr_storage mapped = protocol::map_ipv4(plain);
  const std::string_view bytes = protocol::ip_bytes(mapped);
  const std::uint64_t prefix =
      plain.ss_family == AF_INET ? std::uint64_t{96} + prefixes_.ipv4 : prefixes_.ipv6;
  return {read_number(bytes.substr(0, 8)) & mask(prefix),
          read_number(bytes.substr(8)) & mask(prefix > 64 ? prefix - 64 : 0)};
}

Result<void> count_for_client(ClientConnection& connection) noexcept {
  const Listener& listener = *connection.accepted_by->listener;
  if (listener.client_limit == nullptr || connection.peer.is_unix()) return {};
  ClientLimit& limit = *listener.client_limit;
  auto [outcome, hold] = limit.counts().try_add(limit.key_of(connection.peer),
                                                *listener.limits.connections_per_client);
  stats::ListenerCells& cells = connection.accepted_by->cells;
  switch (outcome) {
    case SharedCounts::Outcome::counted:
      connection.counted = std::move(hold);
      return {};
    case SharedCounts::Outcome::no_room:
      cells.clients_not_counted.add();
      return {};
    case SharedCounts::Outcome::at_limit:
      cells.connections_refused.add();
      return fail(ErrorKind::too_many_connections, Side::client);
  }
  return {};
}

}  // namespace weir::proxy
