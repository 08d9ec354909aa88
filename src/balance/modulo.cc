#include "balance/modulo.h"

#include <algorithm>
#include <numeric>

namespace weir::balance {
namespace {

// A server's remainders are those from the end of the one before it up to its own end.
struct Remainders {
  std::uint64_t end;
  ServerIndex server;
  bool is_member;
};

class ModuloOrder final : public KeyOrder {
 public:
  explicit ModuloOrder(std::vector<Remainders> servers) : servers_(std::move(servers)) {}

  ServerIndex find(std::uint64_t hash, const Gate& gate) const noexcept override {
    if (servers_.empty()) return ServerIndex::none;
    const std::uint64_t divisor = servers_.back().end;
    std::uint64_t dividend = hash;
    for (std::uint64_t turn = 1; turn <= kPlacesMax; ++turn) {
      const Remainders& found =
          *std::ranges::upper_bound(servers_, dividend % divisor, {}, &Remainders::end);
      if (found.is_member && gate.admits(found.server)) return found.server;
      dividend = rehash(hash, turn);
    }
    return ServerIndex::none;
  }

 private:
  std::vector<Remainders> servers_;
};

}  // namespace

std::unique_ptr<const KeyOrder> make_modulo(std::span<const Peer> peers) {
  std::uint32_t divisor = 0;
  for (const Peer& peer : peers) divisor = std::gcd(divisor, peer.weight);
  std::vector<Remainders> servers;
  std::uint64_t end = 0;
  for (const Peer& peer : peers) {
    WEIR_ASSERT(divisor > 0);
    end += peer.weight / divisor;
    servers.push_back({.end = end, .server = peer.server, .is_member = peer.is_member});
  }
  return std::make_unique<ModuloOrder>(std::move(servers));
}

}  // namespace weir::balance
