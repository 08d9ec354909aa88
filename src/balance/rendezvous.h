#pragma once
// Rendezvous hashing, or highest random weight (Thaler and Ravishankar 1998): each server draws a
// number from the key and its own name, and the highest one in proportion to the weight wins
// (Schindelhauer and Schomaker 2005). Exact shares and exactly the keys of a server that leaves
// move, to all the others by their weights; but every pick asks every server.

#include <memory>
#include <span>

#include "balance/key_order.h"

namespace weir::balance {

// Servers beyond which a pick costs too much.
inline constexpr std::size_t kRendezvousMax = 256;

std::unique_ptr<const KeyOrder> make_rendezvous(std::span<const Peer> peers);

}  // namespace weir::balance
