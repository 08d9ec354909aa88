#pragma once
// Two choices: two different servers (or more) are drawn by chance, in proportion to their weights,
// and the one with the fewest attempts in flight for its weight is used. The fullest server is then
// much less full than with one choice (Azar, Broder, Karlin, Upfal 1999; Mitzenmacher 2001), at a
// cost that does not depend on the number of servers.

#include "balance/picker.h"

namespace weir::balance {

struct PowerOfTwoSettings {
  static constexpr std::uint32_t kChoicesMax = 16;
  std::uint32_t choices = 2;
};
template <class V>
void describe(V& v, PowerOfTwoSettings& s) {
  v.field("choices", s.choices, "How many different servers each pick draws.")
      .range(2, PowerOfTwoSettings::kChoicesMax);
}

class PowerOfTwoPicker final : public Picker {
 public:
  explicit PowerOfTwoPicker(PowerOfTwoSettings settings = {}) : settings_(settings) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;

 private:
  PowerOfTwoSettings settings_;
};

}  // namespace weir::balance
