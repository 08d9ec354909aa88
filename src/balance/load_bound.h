#pragma once
// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): no server holds
// more than its share of all attempts in flight times a factor; what is above goes on in the key's
// order.
//
// The sum of what is in flight is kept by each worker: its own leases and releases at once, those
// of others by looking at two servers in turn with each pick. A single worker knows it exactly.

#include <cstdint>
#include <span>
#include <vector>

#include "balance/picker.h"

namespace weir::balance {

// The constant part, of one table.
struct LoadShares {
  LoadShares(std::span<const ServerSpec> servers, const ServerSet& members, double load_max);

  std::uint64_t id;  // of this table alone
  double load_max;   // above 1
  std::uint64_t weight_sum = 0;
  std::vector<std::uint32_t> weights;  // 0: not a member
};

// What a worker knows of the leases.
struct KnownLeases {
  std::uint64_t table_id = 0;         // of the table whose members are summed
  std::uint64_t sum = 0;              // over these
  std::vector<std::uint32_t> leases;  // of each server
  std::size_t next_look = 0;
};

// Both together, for one call. Worker.
class LoadBound {
 public:
  // Sums again if the table is new to what is known. The counters may be empty: leases and releases
  // say what is in flight.
  LoadBound(const LoadShares& shares, KnownLeases& known, LeaseCounters counters) noexcept;

  // What others did, of two more servers.
  void look_at_next() const noexcept;
  // Whether one more attempt keeps it within load_max times its share, rounded up. Always true of
  // one member at least, if nothing changes meanwhile.
  bool has_room(ServerIndex server) const noexcept;
  // Leases for its weight, as known.
  double load(ServerIndex server) const noexcept;

  void on_lease(ServerIndex server) const noexcept;
  void on_release(ServerIndex server) const noexcept;

 private:
  void set(std::size_t number, std::uint32_t leases) const noexcept;
  void look_at(std::size_t number) const noexcept;

  const LoadShares& shares_;
  KnownLeases& known_;
  LeaseCounters counters_;
};

}  // namespace weir::balance
