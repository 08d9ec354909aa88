#pragma once
// The first server of the configuration that has room: one is filled up to its maxconn before the
// next gets anything, so that as few servers as possible are busy.

#include "balance/picker.h"

namespace weir::balance {

struct FirstSettings {};
template <class V>
void describe(V&, FirstSettings&) {}

class FirstPicker final : public Picker {
 public:
  explicit FirstPicker(FirstSettings = {}) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;
};

}  // namespace weir::balance
