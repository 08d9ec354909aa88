#include "balance/lowest_score.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "balance/shortlist.h"

namespace weir::balance {
namespace {

// What the worst gets of the range between worst and best.
constexpr double kWorstShare = 0.1;

// The scores of a shortlist, by the place in it.
class Scores {
 public:
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): those beyond the count are unused.
  Scores(std::span<const ServerIndex> servers, LoadScores scores) noexcept {
    double sum = 0;
    std::size_t finite = 0;
    for (std::size_t i = 0; i < servers.size(); ++i) {
      values_[i] = scores.empty() ? std::numeric_limits<float>::quiet_NaN()
                                  : scores[to_number(servers[i])].load(std::memory_order_relaxed);
      if (!std::isfinite(values_[i])) continue;
      sum += values_[i];
      ++finite;
    }
    const float mean = finite == 0 ? 0 : static_cast<float>(sum / static_cast<double>(finite));
    for (std::size_t i = 0; i < servers.size(); ++i) {
      if (std::isnan(values_[i])) values_[i] = mean;
      if (!std::isfinite(values_[i])) continue;
      best_ = std::min(best_, values_[i]);
      worst_ = std::max(worst_, values_[i]);
    }
  }

  double at(std::size_t place) const noexcept { return values_[place]; }
  // Without weight; 0 if the score is infinite, unless all are.
  double share(std::size_t place) const noexcept {
    if (best_ >= worst_) return values_[place] <= best_ ? 1 : 0;
    if (!std::isfinite(values_[place])) return 0;
    const double range = double{worst_} - best_;
    return double{worst_} - values_[place] + (range * kWorstShare);
  }

 private:
  std::array<float, ShortlistTable::kComparedMax> values_;
  float best_ = std::numeric_limits<float>::infinity();
  float worst_ = -std::numeric_limits<float>::infinity();
};

double load_of(const ShortlistTable& table, const PickInput& input, ServerIndex server) noexcept {
  if (input.leases.empty()) return 0;
  const double leases = input.leases[to_number(server)]->load(std::memory_order_relaxed);
  return leases / table.weight_of(server);
}

// The place of a server; there is one.
std::size_t find_lowest(const ShortlistTable& table, const PickInput& input,
                        std::span<const ServerIndex> servers, const Scores& scores) noexcept {
  std::size_t lowest = 0;
  double lowest_load = load_of(table, input, servers[0]);
  for (std::size_t i = 1; i < servers.size(); ++i) {
    if (scores.at(i) > scores.at(lowest)) continue;
    const double load = load_of(table, input, servers[i]);
    if (scores.at(i) == scores.at(lowest) && load >= lowest_load) continue;
    lowest = i;
    lowest_load = load;
  }
  return lowest;
}

// Likewise. One pass: each replaces the one held with the chance of its share within the sum so far
// (Chao 1982).
std::size_t draw_weighted(const ShortlistTable& table, Random& random,
                          std::span<const ServerIndex> servers, const Scores& scores) noexcept {
  std::size_t held = 0;
  double sum = 0;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    // Those that were drawn have had their weights.
    const double weight = table.is_drawn() ? 1 : table.weight_of(servers[i]);
    const double share = weight * scores.share(i);
    sum += share;
    const double chance = static_cast<double>(random.next() >> 11) * 0x1p-53;
    if (chance * sum < share) held = i;
  }
  return held;
}

}  // namespace

std::unique_ptr<const Table> LowestScorePicker::build(std::span<const ServerSpec> servers,
                                                      const ServerSet& candidates) const {
  return std::make_unique<ShortlistTable>(servers, candidates);
}

std::unique_ptr<State> LowestScorePicker::start(const Table&, WorkerIndex, std::uint16_t) const {
  return std::make_unique<State>();
}

std::unique_ptr<State> LowestScorePicker::copy(const State&) const {
  return std::make_unique<State>();
}

ServerIndex LowestScorePicker::pick(const Table& table, State&,
                                    const PickInput& input) const noexcept {
  const auto& compared = static_cast<const ShortlistTable&>(table);
  Random random(input.random);
  const Shortlist shortlist(compared, input, random);
  const std::span<const ServerIndex> servers = shortlist.servers();
  if (servers.empty()) return ServerIndex::none;
  const Scores scores(servers, input.scores);
  const std::size_t place = choose_ == ScoreChoice::weighted
                                ? draw_weighted(compared, random, servers, scores)
                                : find_lowest(compared, input, servers, scores);
  if (input.recorder == nullptr) return servers[place];
  for (std::size_t i = 0; i < servers.size(); ++i) {
    input.record(servers[i], i == place ? PickVerdict::chosen : PickVerdict::behind, scores.at(i));
  }
  return servers[place];
}

}  // namespace weir::balance
