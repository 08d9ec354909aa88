#pragma once
// The servers that a pick compares by a measure that changes under its hands, so that no order can
// be kept: all that the input allows up to 256 members, where the best is then exactly the best;
// above that 16 drawn by chance in proportion to their weights, which bounds the cost of a pick.

#include <array>
#include <span>

#include "balance/picker.h"
#include "balance/weighted_draw.h"

namespace weir::balance {

class ShortlistTable final : public Table {
 public:
  static constexpr std::size_t kComparedMax = 256;

  ShortlistTable(std::span<const ServerSpec> servers, const ServerSet& candidates);

  std::size_t servers() const noexcept { return weights_.size(); }
  std::uint32_t weight_of(ServerIndex server) const noexcept { return weights_[to_number(server)]; }
  const ServerSet& members() const noexcept WEIR_LIFETIMEBOUND { return members_; }
  // Whether the members are too many to compare all of them.
  bool is_drawn() const noexcept { return is_drawn_; }
  const WeightedDraw& draw() const noexcept WEIR_LIFETIMEBOUND { return draw_; }

 private:
  ServerSet members_;
  std::vector<std::uint32_t> weights_;  // by the server's number
  WeightedDraw draw_;
  bool is_drawn_ = false;
};

// On the stack of one pick.
class Shortlist {
 public:
  // Empty if the input allows nobody.
  Shortlist(const ShortlistTable& table, const PickInput& input, Random& random) noexcept;

  // Different ones: all in the order of the configuration, or as they were drawn.
  std::span<const ServerIndex> servers() const noexcept WEIR_LIFETIMEBOUND {
    return std::span(servers_).first(count_);
  }

 private:
  std::array<ServerIndex, ShortlistTable::kComparedMax> servers_;
  std::size_t count_ = 0;
};

}  // namespace weir::balance
