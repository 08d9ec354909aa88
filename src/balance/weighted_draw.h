#pragma once
// Drawing a server by chance, in proportion to the weights, in constant time: the alias method
// (Walker 1974), its table built as Vose 1991 does.

#include <cstdint>
#include <span>
#include <vector>

#include "balance/picker.h"
#include "base/random.h"

namespace weir::balance {

class WeightedDraw {
 public:
  // Candidates of weight 0 are never drawn. Allocates.
  WeightedDraw(std::span<const ServerSpec> servers, const ServerSet& candidates);

  // A candidate that the input allows and that is none of `besides`, a handful; none if there is
  // none. Each has the chance of its weight within the sum of theirs.
  ServerIndex draw(const PickInput& input, Random& random,
                   std::span<const ServerIndex> besides = {}) const noexcept;
  // Of one that was drawn.
  std::uint32_t weight_of(ServerIndex server) const noexcept { return weights_[to_number(server)]; }

 private:
  // Every column is as likely as any other; `own` has the share `threshold` / 2^32 of it.
  struct Column {
    std::uint32_t threshold = 0;
    ServerIndex own = {};
    ServerIndex other = {};
  };
  void fill_columns(std::uint64_t weight_sum);
  ServerIndex draw_any(Random& random) const noexcept;
  ServerIndex draw_from_rest(const PickInput& input, Random& random,
                             std::span<const ServerIndex> besides) const noexcept;

  std::vector<Column> columns_;
  std::vector<std::uint32_t> weights_;  // by the server's number
  ServerSet members_;
};

}  // namespace weir::balance
