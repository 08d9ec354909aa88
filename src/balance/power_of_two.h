#pragma once
// Two choices: two different servers are drawn by chance, in proportion to their weights, and the
// one with fewer attempts in flight for its weight is used. The fullest server is then much less
// full than with one choice (Azar, Broder, Karlin, Upfal 1999; Mitzenmacher 2001), at a cost that
// does not depend on the number of servers.

#include "balance/picker.h"

namespace weir::balance {

struct PowerOfTwoSettings {};
template <class V>
void describe(V&, PowerOfTwoSettings&) {}

class PowerOfTwoPicker final : public Picker {
 public:
  explicit PowerOfTwoPicker(PowerOfTwoSettings = {}) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;
};

}  // namespace weir::balance
