#pragma once
// Where the hash of a key leads: each method of `hash` is an order of the servers that hangs on the
// hash alone, so that whoever asks finds the same first one, and the same next one when that is
// left out.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "balance/load_bound.h"
#include "balance/picker.h"
#include "base/hash.h"

namespace weir::balance {

// A server that has a place: one that has a weight and the level of the candidates. Those that are
// out just now are among them, so that the places of the others do not hang on it.
struct Peer {
  ServerIndex server;
  std::uint32_t weight;
  std::string_view key;  // what its places are derived from
  bool is_member;        // a candidate
};

// Whom one pick admits: servers that its input allows and, with a bound, that have room below it.
class Gate {
 public:
  Gate(const PickInput& input, const LoadBound* bound) : input_(input), bound_(bound) {}

  // Asked of members only. Tells the input's recorder of a server that the input does not allow.
  bool admits(ServerIndex server) const noexcept {
    return input_.allows(server) && (bound_ == nullptr || bound_->has_room(server));
  }

 private:
  const PickInput& input_;
  const LoadBound* bound_;
};

// How many places are looked at before a pick stops following the order: nearly everybody is left
// out then.
inline constexpr std::uint64_t kPlacesMax = 128;

// Another hash of the same key for every turn, the first of which is not the hash itself.
constexpr std::uint64_t rehash(std::uint64_t hash, std::uint64_t turn) noexcept {
  return mix64(hash + turn * 0x9e3779b97f4a7c15);
}

// A hash of 64 bits to [0, bound), by its high half; bound < 2^32.
constexpr std::uint64_t scale_hash(std::uint64_t hash, std::uint64_t bound) noexcept {
  return ((hash >> 32) * bound) >> 32;
}

// Immutable; any thread.
class KeyOrder {
 public:
  virtual ~KeyOrder() = default;

  // The first member in the order of this hash that the gate admits; none if there is none, or none
  // within kPlacesMax places. Does not allocate.
  virtual ServerIndex find(std::uint64_t hash, const Gate& gate) const noexcept = 0;
};

}  // namespace weir::balance
