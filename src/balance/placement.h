#pragma once
// Placement: the servers of a backend in levels, by priority, zone, subset and place. A pick asks
// one level after the other until one of them has somebody: each has a table of its own, so that
// every algorithm works within a level.
//
// Levels with the same rank are alternatives, told apart by the subset that a request may name, and
// by where they are on earth: the nearest to the client is asked first. Ranks are asked in order,
// but a rank of which too many servers are unusable gives a part of its picks to the next one, so
// that those that are left are not overrun (as Envoy's overprovisioning factor).

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "balance/server.h"

namespace weir::balance {

// A point on a sphere of radius 1.
struct GeoPoint {
  float x = 1;
  float y = 0;
  float z = 0;

  // Degrees, north and east positive.
  static GeoPoint at(double latitude, double longitude) noexcept;
  // The larger, the nearer; 1 at the same place, -1 at the opposite side.
  float nearness(const GeoPoint& other) const noexcept {
    return x * other.x + y * other.y + z * other.z;
  }
  friend bool operator==(const GeoPoint&, const GeoPoint&) = default;
};

// Backups get traffic only when no primary can.
enum class ServerRole : std::uint8_t { primary, backup };

// What servers of other zones than Weir's own are for.
enum class CrossZone : std::uint8_t {
  always,    // they are as good as any
  overflow,  // they take what the own zone cannot
  never,     // nothing
};

constexpr auto names_of(CrossZone) {
  using enum CrossZone;
  return std::to_array<std::pair<std::string_view, CrossZone>>(
      {{"always", always}, {"overflow", overflow}, {"never", never}});
}

inline constexpr std::uint32_t kPriorityMax = 15;

// Servers that a request may ask for; numbered from 1 within a backend.
enum class SubsetIndex : std::uint8_t { none = 0 };

// Who gets a request whose subset has nobody to answer it, or that names none.
enum class SubsetFallback : std::uint8_t { any, none };

constexpr auto names_of(SubsetFallback) {
  return std::to_array<std::pair<std::string_view, SubsetFallback>>(
      {{"any", SubsetFallback::any}, {"none", SubsetFallback::none}});
}

struct ServerPlace {
  ServerRole role = ServerRole::primary;
  std::uint32_t priority = 0;  // 0 to kPriorityMax, 0 first
  bool is_local = true;        // in Weir's zone
  SubsetIndex subset = SubsetIndex::none;
  std::optional<GeoPoint> location = {};

  friend bool operator==(const ServerPlace&, const ServerPlace&) = default;
};

// A level's place among those of its backend, from 0.
enum class LevelIndex : std::uint8_t { none = 0xff };
inline constexpr std::size_t kLevelsMax = 64;

constexpr std::size_t to_number(LevelIndex level) noexcept {
  return static_cast<std::size_t>(level);
}

// Which part of the picks begins at which rank, for one set of usable servers. Immutable.
struct LevelShares {
  std::vector<double> rank_ends;   // by rank: the sum of the shares up to it; the last one is 1
  std::vector<double> level_ends;  // likewise by level, within its rank
};

class Placement {
 public:
  // Of servers in the order of the backend. overflow: a rank keeps all of its picks while at least
  // 1/overflow of its weight is usable. fallback: looked at if a server is in a subset.
  Placement(std::vector<ServerPlace> servers, CrossZone cross_zone, double overflow,
            SubsetFallback fallback = SubsetFallback::any);

  // How many levels such servers need; more than kLevelsMax cannot be placed.
  static std::size_t count_levels(std::span<const ServerPlace> servers, CrossZone cross_zone);

  std::size_t levels() const noexcept { return levels_.size(); }
  // Whether a pick may be told to leave levels out.
  bool has_subsets() const noexcept { return has_subsets_; }
  // none: it is never used.
  LevelIndex level_of(ServerIndex server) const noexcept { return level_of_[to_number(server)]; }
  // none: not placed, or in no subset.
  SubsetIndex subset_of(ServerIndex server) const noexcept {
    const LevelIndex level = level_of(server);
    return level == LevelIndex::none ? SubsetIndex::none : levels_[to_number(level)].subset;
  }
  // Of the servers of a level those that are in `usable`.
  ServerSet candidates_of(LevelIndex level, const ServerSet& usable) const;
  LevelShares share(std::span<const ServerSpec> specs, const ServerSet& usable) const;

  friend bool operator==(const Placement& a, const Placement& b) noexcept {
    return a.level_of_ == b.level_of_;
  }

 private:
  friend class LevelOrder;
  struct Level {
    std::uint8_t rank = 0;
    bool is_backup = false;
    SubsetIndex subset = SubsetIndex::none;
    std::optional<GeoPoint> location;
  };
  std::vector<Level> levels_;  // by rank
  std::vector<LevelIndex> level_of_;
  double overflow_;
  bool has_subsets_ = false;
  SubsetFallback fallback_;
};

// What a pick says of the levels that it wants.
struct LevelWish {
  const GeoPoint* client = nullptr;  // where it is; nullptr: not known, then the place is drawn
  SubsetIndex subset = SubsetIndex::none;  // none: no subset that is known
};

// The levels for one pick, in the order in which they are to be asked. Does not allocate.
class LevelOrder {
 public:
  // All outlive it.
  LevelOrder(const Placement& placement, const LevelShares& shares, std::uint64_t random,
             const LevelWish& wish) noexcept;
  // none: all were asked.
  LevelIndex next() noexcept;

 private:
  LevelIndex find_in_subset() noexcept;
  LevelIndex find_in_rank() const noexcept;

  const Placement& placement_;
  const LevelShares& shares_;
  const GeoPoint* client_;
  SubsetIndex subset_;  // of which levels are being asked; none: of all
  double draw_;         // in [0, 1): among places, if the client's is not known
  std::size_t first_rank_ = 0;
  std::size_t rank_;         // that is being asked
  std::uint64_t asked_ = 0;  // levels, a bit each
};

}  // namespace weir::balance
