#pragma once
// Which group of a split gets a request: a pure function of the weights and a point, which chance
// or a key gives.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace weir::proxy {

// A group's place in its split.
enum class GroupIndex : std::uint32_t {};

// The groups in their order share the points from 0 to 2^64 - 1 out, exactly by their weights. When
// weights change, only points between a group's old and new bounds change their group.
class SplitShares {
 public:
  // One of them is above 0. May allocate.
  explicit SplitShares(std::span<const std::uint32_t> weights);

  GroupIndex group_at(std::uint64_t point) const noexcept;
  // From 0 to 1.
  double share_of(GroupIndex group) const noexcept;

 private:
  std::vector<std::uint64_t> ends_;  // sums of the weights up to each group
};

// The same on every machine and in every process, since users are to stay where they are.
std::uint64_t point_of_key(std::string_view key) noexcept;

}  // namespace weir::proxy
