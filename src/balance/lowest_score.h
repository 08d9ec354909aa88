#pragma once
// The algorithms that go by PickInput::scores, which the control thread makes of reports and
// traffic (readings.h): lower is better, infinite is only for want of others, NaN is unknown and
// counts as the mean of what is known.
//
// lowest: the lowest score of a Shortlist, then the fewest leases for the weight, then the first.
// weighted: by chance, a server's share being
//
//   weight * (worst - score + (worst - best) / 10),
//
// eleven times as much for the best as for the worst. Scores are some seconds old: by chance, those
// who pick meanwhile do not all go to the same server.

#include "balance/picker.h"
#include "balance/score_settings.h"

namespace weir::balance {

class LowestScorePicker final : public Picker {
 public:
  explicit LowestScorePicker(ScoreChoice choose) : choose_(choose) {}
  explicit LowestScorePicker(const LeastBandwidthSettings& s) : choose_(s.choose) {}
  explicit LowestScorePicker(const ResourceSettings& s) : choose_(s.choose) {}
  explicit LowestScorePicker(const AdaptiveSettings& s) : choose_(s.choose) {}
  explicit LowestScorePicker(const UtilizationSettings& s) : choose_(s.choose) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;

 private:
  ScoreChoice choose_;
};

}  // namespace weir::balance
