#include "balance/weighted_draw.h"

#include <bit>

namespace weir::balance {
namespace {

// How many draws may fall on servers that are left out before the others are looked through. The
// first hit of repeated draws has the right chances as well.
constexpr int kDrawsMax = 32;

bool is_among(std::span<const ServerIndex> servers, ServerIndex server) noexcept {
  return std::ranges::find(servers, server) != servers.end();
}

}  // namespace

WeightedDraw::WeightedDraw(std::span<const ServerSpec> servers, const ServerSet& candidates)
    : members_(members_of(servers, candidates)) {
  weights_.reserve(servers.size());
  std::uint64_t weight_sum = 0;
  for (const ServerSpec& server : servers) {
    const ServerIndex index = to_server(weights_.size());
    weights_.push_back(server.weight);
    if (!members_.contains(index)) continue;
    weight_sum += server.weight;
    columns_.push_back({.own = index, .other = index});
  }
  fill_columns(weight_sum);
}

// A column holds weight_sum / columns. In units of 1 / columns that is weight_sum, and a server
// brings its weight times the columns: all whole numbers, at most 2^32.
void WeightedDraw::fill_columns(std::uint64_t weight_sum) {
  std::vector<std::uint64_t> shares(columns_.size());
  std::vector<std::size_t> small;
  std::vector<std::size_t> large;
  for (std::size_t at = 0; at < columns_.size(); ++at) {
    shares[at] = std::uint64_t{weight_of(columns_[at].own)} * columns_.size();
    (shares[at] < weight_sum ? small : large).push_back(at);
  }
  // The rest of a small column goes to a server that has too much for its own. As the shares fill
  // the columns exactly, a small one always finds a large one.
  while (!small.empty()) {
    WEIR_ASSERT(weight_sum > 0);
    WEIR_ASSERT(!large.empty());
    const std::size_t poor = small.back();
    const std::size_t rich = large.back();
    small.pop_back();
    columns_[poor].threshold = static_cast<std::uint32_t>((shares[poor] << 32) / weight_sum);
    columns_[poor].other = columns_[rich].own;
    shares[rich] -= weight_sum - shares[poor];
    if (shares[rich] >= weight_sum) continue;
    large.pop_back();
    small.push_back(rich);
  }
}

ServerIndex WeightedDraw::draw(const PickInput& input, Random& random,
                               std::span<const ServerIndex> besides) const noexcept {
  if (columns_.empty()) return ServerIndex::none;
  for (int draws = 0; draws < kDrawsMax; ++draws) {
    const ServerIndex server = draw_any(random);
    if (!is_among(besides, server) && input.allows(server)) return server;
  }
  return draw_from_rest(input, random, besides);
}

ServerIndex WeightedDraw::draw_any(Random& random) const noexcept {
  const Column& column = columns_[random.below(static_cast<std::uint32_t>(columns_.size()))];
  return (random.next() >> 32) < column.threshold ? column.own : column.other;
}

// One pass: each one met replaces the one held with the chance of its weight within the sum so far
// (Chao 1982).
ServerIndex WeightedDraw::draw_from_rest(const PickInput& input, Random& random,
                                         std::span<const ServerIndex> besides) const noexcept {
  record_left_out(members_, input);
  ServerIndex held = ServerIndex::none;
  std::uint32_t weight_sum = 0;  // 65,535 servers of 65,535 at most
  for (std::size_t at = 0; at < members_.words(); ++at) {
    for (std::uint64_t left = allowed_word(members_, input, at); left != 0; left &= left - 1) {
      const ServerIndex server = to_server(at * ServerSet::kWordBits + std::countr_zero(left));
      if (is_among(besides, server)) continue;
      const std::uint32_t weight = weight_of(server);
      weight_sum += weight;
      if (random.below(weight_sum) < weight) held = server;
    }
  }
  return held;
}

}  // namespace weir::balance
