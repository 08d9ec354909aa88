#pragma once
// The plain hash: the remainder of the key's hash by the sum of the weights says whose key it is.
// As exact as can be while the servers stay the same; when one is added or removed, nearly all keys
// move. One that is out just now keeps its remainders, and its keys are dealt out by other hashes
// of theirs, as in nginx.

#include <memory>
#include <span>

#include "balance/key_order.h"

namespace weir::balance {

std::unique_ptr<const KeyOrder> make_modulo(std::span<const Peer> peers);

}  // namespace weir::balance
