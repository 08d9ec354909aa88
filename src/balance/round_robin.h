#pragma once
// Weighted round robin. In the smooth order every server gets its weight's share in each cycle,
// spread out, as nginx has it (ngx_http_upstream_round_robin.c): each turn adds every server's
// weight to its credit, the highest credit wins (the first listed on a tie) and pays the sum of all
// weights. In the block order one server after the other has as many turns as its weight.
//
// Either repeats after sum / gcd of the weights turns, so the table holds one whole cycle and a
// pick reads one entry.

#include <array>
#include <string_view>
#include <utility>

#include "balance/picker.h"

namespace weir::balance {

// Whether the turns of a server within a cycle are spread out or follow each other.
enum class TurnOrder : std::uint8_t { smooth, block };
constexpr auto names_of(TurnOrder) {
  return std::to_array<std::pair<std::string_view, TurnOrder>>(
      {{"smooth", TurnOrder::smooth}, {"block", TurnOrder::block}});
}

struct RoundRobinSettings {
  TurnOrder order = TurnOrder::smooth;
};
template <class V>
void describe(V& v, RoundRobinSettings& s) {
  v.field("order", s.order,
          "smooth: the turns of a server are spread over the cycle. block: they follow each other, "
          "as many as its weight.");
}

class RoundRobinPicker final : public Picker {
 public:
  explicit RoundRobinPicker(RoundRobinSettings settings = {}) : settings_(settings) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;

 private:
  RoundRobinSettings settings_;
};

}  // namespace weir::balance
