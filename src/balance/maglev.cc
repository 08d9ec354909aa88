#include "balance/maglev.h"

#include <map>

namespace weir::balance {
namespace {

class MaglevOrder final : public KeyOrder {
 public:
  explicit MaglevOrder(std::vector<ServerIndex> slots) : slots_(std::move(slots)) {}

  // The keys of a server that is left out are dealt out by other hashes of theirs.
  ServerIndex find(std::uint64_t hash, const Gate& gate) const noexcept override {
    if (slots_.empty()) return ServerIndex::none;
    for (std::uint64_t turn = 0; turn < kPlacesMax; ++turn) {
      const ServerIndex server = slots_[scale_hash(rehash(hash, turn), slots_.size())];
      if (gate.admits(server)) return server;
    }
    return ServerIndex::none;
  }

 private:
  std::vector<ServerIndex> slots_;
};

// A server's way through the slots.
struct Permutation {
  ServerIndex server;
  std::uint32_t next;
  std::uint32_t step;
};

// Servers of one weight are due in the same rounds, so that a round asks one of each weight whether
// they are, and not every server.
struct WeightGroup {
  std::vector<Permutation> servers;
  std::uint64_t due = 0;  // 0 to the heaviest weight; from there on it is their turn
};

// The heaviest first.
using Groups = std::map<std::uint32_t, WeightGroup, std::greater<>>;

Groups group_by_weight(std::span<const Peer> peers, std::uint32_t size) {
  Groups groups;
  for (const Peer& peer : peers) {
    if (!peer.is_member) continue;
    const std::uint64_t seed = hash_bytes(peer.key);
    groups[peer.weight].servers.push_back(
        {.server = peer.server,
         .next = static_cast<std::uint32_t>(scale_hash(rehash(seed, 0), size)),
         .step = static_cast<std::uint32_t>(1 + scale_hash(rehash(seed, 1), size - 1))});
  }
  return groups;
}

void take_free_slot(Permutation& way, std::vector<ServerIndex>& slots) {
  const auto advance = [&] {
    way.next += way.step;
    if (way.next >= slots.size()) way.next -= static_cast<std::uint32_t>(slots.size());
  };
  while (slots[way.next] != ServerIndex::none) advance();
  slots[way.next] = way.server;
  advance();
}

}  // namespace

std::vector<ServerIndex> fill_slots(std::span<const Peer> peers, std::uint32_t size) {
  WEIR_ASSERT(is_prime(size));
  Groups groups = group_by_weight(peers, size);
  if (groups.empty()) return {};
  const std::uint32_t heaviest = groups.begin()->first;
  std::vector<ServerIndex> slots(size, ServerIndex::none);
  for (std::uint32_t left = size; left > 0;) {
    for (auto& [weight, group] : groups) {
      group.due += weight;
      if (group.due < heaviest) continue;
      group.due -= heaviest;
      for (Permutation& way : group.servers) {
        if (left == 0) return slots;
        take_free_slot(way, slots);
        --left;
      }
    }
  }
  return slots;
}

std::unique_ptr<const KeyOrder> make_maglev(std::span<const Peer> peers, std::uint32_t table_size) {
  return std::make_unique<MaglevOrder>(fill_slots(peers, table_size));
}

bool is_prime(std::uint64_t number) noexcept {
  if (number < 2) return false;
  for (std::uint64_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return true;
}

}  // namespace weir::balance
