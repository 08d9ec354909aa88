#include "balance/placement.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <tuple>

#include "base/hash.h"

namespace weir::balance {
namespace {

// What tells levels apart, in their order.
using LevelKey = std::tuple<bool, std::uint32_t, bool, SubsetIndex, float, float, float>;

LevelKey key_of(const ServerPlace& place, CrossZone cross_zone) {
  const bool is_foreign = cross_zone != CrossZone::always && !place.is_local;
  const GeoPoint nowhere{0, 0, 0};
  const GeoPoint& at = place.location ? *place.location : nowhere;
  return {
      place.role == ServerRole::backup, place.priority, is_foreign, place.subset, at.x, at.y, at.z};
}

bool is_used(const ServerPlace& place, CrossZone cross_zone) {
  return cross_zone != CrossZone::never || place.is_local;
}

bool is_same_rank(const LevelKey& a, const LevelKey& b) {
  return std::get<0>(a) == std::get<0>(b) && std::get<1>(a) == std::get<1>(b) &&
         std::get<2>(a) == std::get<2>(b);
}

std::map<LevelKey, LevelIndex> list_levels(std::span<const ServerPlace> servers,
                                           CrossZone cross_zone) {
  std::map<LevelKey, LevelIndex> levels;
  for (const ServerPlace& place : servers) {
    if (is_used(place, cross_zone)) levels.try_emplace(key_of(place, cross_zone));
  }
  // Somebody has to be asked, even if there is nobody.
  if (levels.empty()) levels.try_emplace(key_of({}, CrossZone::always));
  for (std::size_t number = 0; auto& [key, level] : levels) level = LevelIndex(number++);
  return levels;
}

double fraction(std::uint64_t random) noexcept {
  return static_cast<double>(random >> 11) * 0x1p-53;
}

}  // namespace

GeoPoint GeoPoint::at(double latitude, double longitude) noexcept {
  const double north = latitude * std::numbers::pi / 180;
  const double east = longitude * std::numbers::pi / 180;
  return {static_cast<float>(std::cos(north) * std::cos(east)),
          static_cast<float>(std::cos(north) * std::sin(east)),
          static_cast<float>(std::sin(north))};
}

std::size_t Placement::count_levels(std::span<const ServerPlace> servers, CrossZone cross_zone) {
  return list_levels(servers, cross_zone).size();
}

Placement::Placement(std::vector<ServerPlace> servers, CrossZone cross_zone, double overflow,
                     SubsetFallback fallback)
    : overflow_(overflow), fallback_(fallback) {
  const auto known = list_levels(servers, cross_zone);
  WEIR_ASSERT(known.size() <= kLevelsMax);
  const LevelKey* before = nullptr;
  for (const auto& [key, index] : known) {
    Level level{.is_backup = std::get<0>(key), .subset = std::get<3>(key), .location = {}};
    has_subsets_ = has_subsets_ || level.subset != SubsetIndex::none;
    const GeoPoint location{std::get<4>(key), std::get<5>(key), std::get<6>(key)};
    if (location != GeoPoint{0, 0, 0}) level.location = location;
    if (before != nullptr) {
      level.rank =
          static_cast<std::uint8_t>(levels_.back().rank + (is_same_rank(*before, key) ? 0 : 1));
    }
    levels_.push_back(level);
    before = &key;
  }
  for (const ServerPlace& place : servers) {
    level_of_.push_back(is_used(place, cross_zone) ? known.at(key_of(place, cross_zone))
                                                   : LevelIndex::none);
  }
}

ServerSet Placement::candidates_of(LevelIndex level, const ServerSet& usable) const {
  ServerSet candidates(level_of_.size());
  for (std::size_t i = 0; i < level_of_.size(); ++i) {
    const ServerIndex server = to_server(i);
    if (level_of_[i] == level && usable.contains(server)) candidates.insert(server);
  }
  return candidates;
}

LevelShares Placement::share(std::span<const ServerSpec> specs, const ServerSet& usable) const {
  struct Weights {
    double all = 0;
    double usable = 0;
  };
  std::vector<Weights> by_level(levels_.size());
  std::vector<Weights> by_rank(levels_.back().rank + std::size_t{1});
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (level_of_[i] == LevelIndex::none) continue;
    const std::size_t level = to_number(level_of_[i]);
    for (Weights* sum : {&by_level[level], &by_rank[levels_[level].rank]}) {
      sum->all += specs[i].weight;
      if (usable.contains(to_server(i))) sum->usable += specs[i].weight;
    }
  }
  LevelShares shares;
  double end = 0;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const Weights& rank = by_rank[levels_[level].rank];
    const bool is_first = level == 0 || levels_[level - 1].rank != levels_[level].rank;
    const double begin = is_first ? 0 : shares.level_ends.back();
    shares.level_ends.push_back(begin +
                                (rank.usable > 0 ? by_level[level].usable / rank.usable : 0));
    if (!is_first) continue;
    // A backup takes what nobody else can, and all of that.
    const double health = rank.all > 0 ? rank.usable / rank.all : 0;
    double takes = std::min(1.0, overflow_ * health);
    if (levels_[level].is_backup) takes = end > 0 || health == 0 ? 0 : 1;
    end = std::min(1.0, end + takes);
    shares.rank_ends.push_back(end);
  }
  // What nobody takes is everybody's, in proportion.
  for (double& rank_end : shares.rank_ends) rank_end = end > 0 ? rank_end / end : 1;
  return shares;
}

LevelOrder::LevelOrder(const Placement& placement, const LevelShares& shares, std::uint64_t random,
                       const LevelWish& wish) noexcept
    : placement_(placement),
      shares_(shares),
      client_(wish.client),
      subset_(placement.has_subsets_ ? wish.subset : SubsetIndex::none),
      draw_(fraction(mix64(~random))) {
  const double rank_draw = fraction(mix64(random));
  while (first_rank_ + 1 < shares.rank_ends.size() && shares.rank_ends[first_rank_] <= rank_draw) {
    ++first_rank_;
  }
  rank_ = first_rank_;
  const bool wants_nobody = placement.has_subsets_ && subset_ == SubsetIndex::none &&
                            placement.fallback_ == SubsetFallback::none;
  if (wants_nobody) rank_ = shares.rank_ends.size();
}

LevelIndex LevelOrder::next() noexcept {
  const LevelIndex level = find_in_subset();
  const bool is_over = level != LevelIndex::none || subset_ == SubsetIndex::none ||
                       placement_.fallback_ == SubsetFallback::none;
  if (is_over) return level;
  subset_ = SubsetIndex::none;
  rank_ = first_rank_;
  return find_in_subset();
}

LevelIndex LevelOrder::find_in_subset() noexcept {
  const std::size_t ranks = shares_.rank_ends.size();
  for (;;) {
    const LevelIndex level = find_in_rank();
    if (level != LevelIndex::none) {
      asked_ |= std::uint64_t{1} << to_number(level);
      return level;
    }
    // After the first one all others, in their order.
    rank_ = rank_ == first_rank_ ? 0 : rank_ + 1;
    if (rank_ == first_rank_) ++rank_;
    if (rank_ >= ranks) {
      rank_ = ranks;
      return LevelIndex::none;
    }
  }
}

LevelIndex LevelOrder::find_in_rank() const noexcept {
  LevelIndex found = LevelIndex::none;
  float nearest = -2;
  for (std::size_t i = 0; i < placement_.levels_.size(); ++i) {
    const Placement::Level& level = placement_.levels_[i];
    if (level.rank != rank_ || (asked_ >> i & 1) != 0) continue;
    if (subset_ != SubsetIndex::none && level.subset != subset_) continue;
    const auto index = static_cast<LevelIndex>(i);
    if (client_ == nullptr) {
      if (found == LevelIndex::none) found = index;
      // Of the first ones drawn; the others follow in their order.
      if (draw_ < shares_.level_ends[i]) return index;
      continue;
    }
    const float nearness = level.location ? client_->nearness(*level.location) : -1.5F;
    if (nearness <= nearest) continue;
    nearest = nearness;
    found = index;
  }
  return found;
}

}  // namespace weir::balance
