#pragma once
// A server by chance, in proportion to its weight, whatever was picked before.

#include "balance/picker.h"

namespace weir::balance {

struct RandomSettings {};
template <class V>
void describe(V&, RandomSettings&) {}

class RandomPicker final : public Picker {
 public:
  explicit RandomPicker(RandomSettings = {}) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;
};

}  // namespace weir::balance
