#include "balance/ring.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "balance/hash_function.h"
#include "base/random.h"

namespace weir::balance {
namespace {

const PickInput kAnybody;

Peer peer_of(std::size_t number, std::uint32_t weight, std::string_view key = {}) {
  return {.server = to_server(number), .weight = weight, .key = key, .is_member = true};
}

// On a ring of degrees: A at 45, B at 150, C at 270.
TEST(Ring, FindsTheFirstPointClockwiseAndWraps) {
  const ServerIndex a = to_server(0);
  const ServerIndex b = to_server(1);
  const ServerIndex c = to_server(2);
  const Ring ring({{.position = 150, .server = b},
                   {.position = 270, .server = c},
                   {.position = 45, .server = a}});
  const auto server_at = [&ring](std::uint32_t position) {
    return ring.at(ring.find(position)).server;
  };
  EXPECT_EQ(server_at(200), c);
  EXPECT_EQ(server_at(50), b);
  EXPECT_EQ(server_at(150), b);
  EXPECT_EQ(server_at(151), c);
  EXPECT_EQ(server_at(300), a);
  EXPECT_EQ(server_at(0), a);

  // B fails: only its keys move, to C.
  const Ring without_b({{.position = 45, .server = a}, {.position = 270, .server = c}});
  for (std::uint32_t position = 0; position < 360; ++position) {
    const ServerIndex before = server_at(position);
    const ServerIndex after = without_b.at(without_b.find(position)).server;
    EXPECT_EQ(after, before == b ? c : before) << position;
  }
}

TEST(Ring, AgreesWithASearchOneByOne) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    // Some rings are spread over all positions, others crowded into a few.
    const unsigned shift = random.below(32);
    std::vector<RingPoint> points(1 + random.below(200));
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto position = static_cast<std::uint32_t>(random.next());
      points[i] = {.position = position >> shift, .server = to_server(i)};
    }
    const Ring ring(points);
    std::ranges::sort(points);
    for (int i = 0; i < 200; ++i) {
      const std::uint32_t position = static_cast<std::uint32_t>(random.next()) >> shift;
      const auto found = std::ranges::find_if(
          points, [&](const RingPoint& point) { return point.position >= position; });
      ASSERT_EQ(ring.at(ring.find(position)), found == points.end() ? points.front() : *found);
    }
  }
}

TEST(RingPoints, AreInProportionToTheWeights) {
  const Peer peers[] = {peer_of(0, 1), peer_of(1, 2), peer_of(2, 3)};
  EXPECT_EQ(ring_points(peers, {.points = 100}), (std::vector<std::uint32_t>{50, 100, 150}));
}

// Envoy's minimum_ring_size.
TEST(RingPoints, AreAtLeastSoManyInAll) {
  for (const std::uint32_t points : {1U, 3U, 150U}) {
    const Peer peers[] = {peer_of(0, 1), peer_of(1, 2), peer_of(2, 4)};
    const auto counts = ring_points(peers, {.points = points, .points_min = 1024});
    EXPECT_GE(counts[0] + counts[1] + counts[2], 1024U);
    EXPECT_LE(counts[0] + counts[1] + counts[2], 1024U + 3);
    EXPECT_NEAR(counts[2], 4 * counts[0], 4);
  }
}

TEST(RingPoints, AreFewerForEverybodyWhereTheyWouldBeTooMany) {
  std::vector<Peer> peers;
  for (std::size_t i = 0; i < 10'000; ++i) peers.push_back(peer_of(i, 1));
  const auto counts = ring_points(peers, {.points = 10'000});
  EXPECT_EQ(std::ranges::min(counts), 105U);  // 2^20 / 10,000, rounded up
  EXPECT_EQ(std::ranges::max(counts), 105U);
}

// libketama read as plainly as can be: every point in one ordered map, the key by its first four
// bytes.
class PlainKetama {
 public:
  explicit PlainKetama(const std::vector<Peer>& peers) {
    float memory = 0;
    for (const Peer& peer : peers) memory += static_cast<float>(peer.weight);
    for (const Peer& peer : peers) {
      const float percent = static_cast<float>(peer.weight) / memory;
      const auto digests =
          static_cast<int>(static_cast<float>(percent * 40.0 * static_cast<double>(peers.size())));
      for (int k = 0; k < digests; ++k) {
        const auto digest = md5_digest(std::string(peer.key) + "-" + std::to_string(k));
        for (std::size_t h = 0; h < 4; ++h) continuum_.emplace(word(digest, h), peer.server);
      }
    }
  }
  ServerIndex find(std::string_view key) const {
    const auto found = continuum_.lower_bound(word(md5_digest(key), 0));
    return found == continuum_.end() ? continuum_.begin()->second : found->second;
  }

 private:
  static std::uint32_t word(const std::array<std::uint8_t, 16>& digest, std::size_t h) {
    std::uint32_t value = 0;
    for (std::size_t byte = 4; byte-- > 0;) value = value << 8 | digest[h * 4 + byte];
    return value;
  }
  std::map<std::uint32_t, ServerIndex> continuum_;
};

const std::vector<Peer> kKetamaPeers = {
    peer_of(0, 600, "10.0.1.1:11211"), peer_of(1, 300, "10.0.1.2:11211"),
    peer_of(2, 200, "10.0.1.3:11211"), peer_of(3, 350, "10.0.1.4:11211"),
    peer_of(4, 1000, "10.0.1.5:11211")};

TEST(Ketama, AgreesWithAPlainReadingOfLibketama) {
  const PlainKetama expected(kKetamaPeers);
  const auto order = make_ketama(kKetamaPeers);
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "session-" + std::to_string(i);
    const std::uint64_t hash = hash_key(HashFunction::md5, key);
    ASSERT_EQ(order->find(hash, Gate(kAnybody, nullptr)), expected.find(key)) << key;
  }
}

TEST(Ketama, PlacesKeysWhereOtherClientsDo) {
  const auto order = make_ketama(kKetamaPeers);
  const std::pair<std::string_view, std::size_t> rows[] = {
      {"", 3},          {"a", 2},           {"userid=123", 4}, {"session-1", 4},
      {"session-2", 0}, {"/index.html", 4}, {"10.0.0.1", 4},   {"PHPSESSID=0", 4},
      {"foo", 1},       {"bar", 4},         {"weir", 3},       {"ketama", 3},
      {"wrap-2391", 4},
  };
  for (const auto& [key, server] : rows) {
    EXPECT_EQ(order->find(hash_key(HashFunction::md5, key), Gate(kAnybody, nullptr)),
              to_server(server))
        << key;
  }
}

TEST(Ketama, GivesAServerOfLittleWeightAPlaceToo) {
  const Peer peers[] = {peer_of(0, 65535, "a"), peer_of(1, 1, "b")};
  const auto order = make_ketama(peers);
  const ServerIndex tried[] = {to_server(0)};
  const PickInput input{.tried = tried};
  EXPECT_EQ(order->find(0, Gate(input, nullptr)), to_server(1));
}

}  // namespace
}  // namespace weir::balance
