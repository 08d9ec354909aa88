#pragma once
// Consistent hashing (Karger et al. 1997): each server has many points on a ring of 2^32 positions,
// and a key belongs to the first point at or after its own position, the way round. A server that
// leaves takes its points with it, so that its keys move on and no others do.

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "balance/key_order.h"

namespace weir::balance {

struct RingPoint {
  std::uint32_t position;
  // Who comes first at the same position, so that the order of the configuration does not decide.
  std::uint16_t rank = 0;
  ServerIndex server;

  friend auto operator<=>(const RingPoint&, const RingPoint&) = default;
};

// Any number of points in any order; immutable. An index over the leading bits of the positions
// makes a search look at a handful of points.
class Ring {
 public:
  // May allocate.
  explicit Ring(const std::vector<RingPoint>& points);

  std::size_t size() const noexcept { return points_.size(); }
  // The place of the first point at or after the position; after the last point, that of the first
  // one. The ring is not empty.
  std::size_t find(std::uint32_t position) const noexcept;
  // place < size(); in the order of the ring.
  const RingPoint& at(std::size_t place) const noexcept WEIR_LIFETIMEBOUND {
    return points_[place];
  }
  std::size_t after(std::size_t place) const noexcept {
    return place + 1 == points_.size() ? 0 : place + 1;
  }

 private:
  std::size_t bucket_of(std::uint32_t position) const noexcept {
    return std::uint64_t{position} >> shift_;
  }

  unsigned shift_;
  std::vector<RingPoint> points_;
  std::vector<std::uint32_t> starts_;  // of each bucket, and the end of the last
};

// Points over all peers; above, all servers get fewer.
inline constexpr std::uint64_t kRingPointsMax = std::uint64_t{1} << 20;

struct RingSize {
  std::uint32_t points = 160;    // of a server of average weight
  std::uint32_t points_min = 0;  // over all peers
};
// The points of each peer: in proportion to its weight, rounded up.
std::vector<std::uint32_t> ring_points(std::span<const Peer> peers, RingSize size);

std::unique_ptr<const KeyOrder> make_ring(std::span<const Peer> peers, RingSize size);

// Servers beyond which libketama's digests take too long to build a table.
inline constexpr std::size_t kKetamaMax = 4096;

// As libketama places servers and keys: point j of digest i of a server is number j of the four
// little-endian words of the MD5 of "KEY-i", and a key is at the low half of its hash. Each server
// has at least four points, where libketama would give one of less than 1/40 of the average weight
// none.
std::unique_ptr<const KeyOrder> make_ketama(std::span<const Peer> peers);

}  // namespace weir::balance
