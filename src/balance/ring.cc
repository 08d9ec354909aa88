#include "balance/ring.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <string>

#include "balance/hash_function.h"

namespace weir::balance {
namespace {

// Which half of a hash is the position of a key.
enum class KeyPosition : std::uint8_t { of_rehash, low_half };

class RingOrder final : public KeyOrder {
 public:
  RingOrder(const std::vector<RingPoint>& points, KeyPosition key_position)
      : ring_(points), key_position_(key_position) {}

  ServerIndex find(std::uint64_t hash, const Gate& gate) const noexcept override {
    if (ring_.size() == 0) return ServerIndex::none;
    std::size_t place = ring_.find(position_of(hash));
    const std::uint64_t places = std::min<std::uint64_t>(kPlacesMax, ring_.size());
    for (std::uint64_t looked_at = 0; looked_at < places; ++looked_at) {
      const ServerIndex server = ring_.at(place).server;
      if (gate.admits(server)) return server;
      place = ring_.after(place);
    }
    return ServerIndex::none;
  }

 private:
  // A hash function may leave the leading bits of short keys alike, as FNV does; libketama takes
  // it as it is.
  std::uint32_t position_of(std::uint64_t hash) const noexcept {
    return static_cast<std::uint32_t>(
        key_position_ == KeyPosition::low_half ? hash : rehash(hash, 1) >> 32);
  }

  Ring ring_;
  KeyPosition key_position_;
};

std::uint64_t weight_sum_of(std::span<const Peer> peers) {
  std::uint64_t sum = 0;
  for (const Peer& peer : peers) sum += peer.weight;
  return sum;
}

// libketama's own arithmetic, in its own types, because the rounding decides.
std::uint32_t ketama_digests(const Peer& peer, std::uint64_t weight_sum, std::size_t peers) {
  const float share = static_cast<float>(peer.weight) / static_cast<float>(weight_sum);
  const double digests = share * 40.0 * static_cast<float>(peers);
  return std::max(1U, static_cast<std::uint32_t>(std::floor(static_cast<float>(digests))));
}

}  // namespace

Ring::Ring(const std::vector<RingPoint>& points)
    : shift_(32U - (points.empty() ? 0U : std::bit_width(points.size()) - 1U)),
      points_(points.size()),
      starts_((std::size_t{1} << (32U - shift_)) + 1) {
  // Positions are spread evenly by design, so that they are nearly sorted once each is in its
  // bucket.
  for (const RingPoint& point : points) ++starts_[bucket_of(point.position) + 1];
  for (std::size_t bucket = 1; bucket < starts_.size(); ++bucket) {
    starts_[bucket] += starts_[bucket - 1];
  }
  std::vector<std::uint32_t> next(starts_.begin(), starts_.end() - 1);
  for (const RingPoint& point : points) points_[next[bucket_of(point.position)]++] = point;
  for (std::size_t bucket = 0; bucket + 1 < starts_.size(); ++bucket) {
    if (starts_[bucket + 1] - starts_[bucket] < 2) continue;
    std::sort(points_.begin() + starts_[bucket], points_.begin() + starts_[bucket + 1]);
  }
}

std::size_t Ring::find(std::uint32_t position) const noexcept {
  WEIR_ASSERT(!points_.empty());
  const std::size_t bucket = bucket_of(position);
  const auto found = std::ranges::lower_bound(points_.begin() + starts_[bucket],
                                              points_.begin() + starts_[bucket + 1], position, {},
                                              &RingPoint::position);
  return found == points_.end() ? 0 : static_cast<std::size_t>(found - points_.begin());
}

std::vector<std::uint32_t> ring_points(std::span<const Peer> peers, RingSize size) {
  const std::uint64_t weight_sum = weight_sum_of(peers);
  const std::uint64_t wanted =
      std::max(std::uint64_t{size.points} * peers.size(), std::uint64_t{size.points_min});
  const std::uint64_t sum = std::min(wanted, kRingPointsMax);
  std::vector<std::uint32_t> points;
  points.reserve(peers.size());
  for (const Peer& peer : peers) {
    points.push_back(static_cast<std::uint32_t>((peer.weight * sum + weight_sum - 1) / weight_sum));
  }
  return points;
}

std::unique_ptr<const KeyOrder> make_ring(std::span<const Peer> peers, RingSize size) {
  const std::vector<std::uint32_t> counts = ring_points(peers, size);
  std::vector<RingPoint> points;
  points.reserve(std::accumulate(counts.begin(), counts.end(), std::size_t{0}));
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (!peers[i].is_member) continue;
    const std::uint64_t start = hash_bytes(peers[i].key);
    for (std::uint32_t number = 0; number < counts[i]; ++number) {
      const std::uint64_t hash = rehash(start, number);
      points.push_back({.position = static_cast<std::uint32_t>(hash >> 32),
                        .rank = static_cast<std::uint16_t>(hash),
                        .server = peers[i].server});
    }
  }
  return std::make_unique<RingOrder>(points, KeyPosition::of_rehash);
}

std::unique_ptr<const KeyOrder> make_ketama(std::span<const Peer> peers) {
  const std::uint64_t weight_sum = weight_sum_of(peers);
  std::vector<RingPoint> points;
  for (const Peer& peer : peers) {
    if (!peer.is_member) continue;
    const std::uint32_t digests = ketama_digests(peer, weight_sum, peers.size());
    for (std::uint32_t number = 0; number < digests; ++number) {
      const auto words = std::bit_cast<std::array<std::uint32_t, 4>>(
          md5_digest(std::string(peer.key) + '-' + std::to_string(number)));
      for (const std::uint32_t word : words) {
        points.push_back({.position = word, .server = peer.server});
      }
    }
  }
  return std::make_unique<RingOrder>(points, KeyPosition::low_half);
}

}  // namespace weir::balance
