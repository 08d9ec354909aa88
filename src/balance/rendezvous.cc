#include "balance/rendezvous.h"

#include <algorithm>
#include <cmath>

namespace weir::balance {
namespace {

struct Drawer {
  ServerIndex server;
  std::uint32_t weight;
  std::uint64_t seed;
};

class RendezvousOrder final : public KeyOrder {
 public:
  explicit RendezvousOrder(std::vector<Drawer> drawers)
      : drawers_(std::move(drawers)),
        is_equal_(std::ranges::all_of(drawers_, [this](const Drawer& drawer) {
          return drawer.weight == drawers_.front().weight;
        })) {}

  ServerIndex find(std::uint64_t hash, const Gate& gate) const noexcept override {
    ServerIndex best = ServerIndex::none;
    double highest = 0;
    for (const Drawer& drawer : drawers_) {
      const double drawn = draw(drawer, hash);
      if (drawn <= highest || !gate.admits(drawer.server)) continue;
      highest = drawn;
      best = drawer.server;
    }
    return best;
  }

 private:
  // Above 0. With u evenly spread within 0 and 1, -w / ln u is the highest with the chance of its
  // weight; of equal weights the highest u is.
  double draw(const Drawer& drawer, std::uint64_t hash) const noexcept {
    const std::uint64_t bits = mix64(hash ^ drawer.seed) >> 11;
    const double u = (static_cast<double>(bits) + 0.5) * 0x1p-53;
    return is_equal_ ? u : -static_cast<double>(drawer.weight) / std::log(u);
  }

  std::vector<Drawer> drawers_;
  bool is_equal_;
};

}  // namespace

std::unique_ptr<const KeyOrder> make_rendezvous(std::span<const Peer> peers) {
  std::vector<Drawer> drawers;
  for (const Peer& peer : peers) {
    if (!peer.is_member) continue;
    drawers.push_back({.server = peer.server, .weight = peer.weight, .seed = hash_bytes(peer.key)});
  }
  return std::make_unique<RendezvousOrder>(std::move(drawers));
}

}  // namespace weir::balance
