#pragma once
// ClientLimit: how many connections each client of a listener has, over all workers, so that none
// has more than limits.connections_per_client. A client is an address, or the network around it.

#include "base/result.h"
#include "base/shared_counts.h"
#include "net/address.h"

namespace weir::proxy {

class ClientConnection;

// Lengths of the prefixes by which clients are told apart.
struct ClientPrefixes {
  std::uint32_t ipv4 = 32;
  std::uint32_t ipv6 = 64;
  friend bool operator==(const ClientPrefixes&, const ClientPrefixes&) = default;
};

class ClientLimit {
 public:
  static constexpr std::size_t kClientsMax = 128 * 1024;

  explicit ClientLimit(const ClientPrefixes& prefixes, std::size_t clients_max = kClientsMax);

  const ClientPrefixes& prefixes() const noexcept { return prefixes_; }
  SharedCounts::Key key_of(const net::PeerAddress& client) const noexcept;
  SharedCounts& counts() noexcept { return counts_; }

 private:
  ClientPrefixes prefixes_;
  SharedCounts counts_;
};

// Counts the connection for its client until it ends; nothing if its listener has no limit, or the
// client no address. too_many_connections: the client has as many as it may.
Result<void> count_for_client(ClientConnection& connection) noexcept;

}  // namespace weir::proxy
