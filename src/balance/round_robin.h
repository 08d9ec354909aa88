#pragma once
// Smooth weighted round robin: every server gets its weight's share in each cycle, spread out, in
// the exact order of nginx (ngx_http_upstream_round_robin.c): each turn adds every server's weight
// to its credit, the highest credit wins (the first listed on a tie) and pays the sum of all
// weights.
//
// That order repeats after sum / gcd of the weights turns, so the table holds one whole cycle and a
// pick reads one entry.

#include "balance/picker.h"

namespace weir::balance {

struct RoundRobinSettings {};
template <class V>
void describe(V&, RoundRobinSettings&) {}

class RoundRobinPicker final : public Picker {
 public:
  explicit RoundRobinPicker(RoundRobinSettings = {}) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;
};

}  // namespace weir::balance
