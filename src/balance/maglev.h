#pragma once
// Maglev hashing (Eisenbud et al. 2016, 3.4): the servers fill a table in turns, each by its own
// permutation of the slots, and a key's slot says its server. Shares are all but exact and a pick
// reads one slot; when servers change, a few keys of the others move as well.
//
// A server of less weight than the heaviest passes in some rounds, as in Envoy.

#include <memory>
#include <span>
#include <vector>

#include "balance/key_order.h"

namespace weir::balance {

// The server of each slot. The size is a prime, so that every step through the slots meets all of
// them. Without members there are no slots.
std::vector<ServerIndex> fill_slots(std::span<const Peer> peers, std::uint32_t size);

std::unique_ptr<const KeyOrder> make_maglev(std::span<const Peer> peers, std::uint32_t table_size);

// number < 2^32.
bool is_prime(std::uint64_t number) noexcept;

}  // namespace weir::balance
