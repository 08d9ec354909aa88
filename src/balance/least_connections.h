#pragma once
// Weighted least connections: the server with the fewest attempts in flight for its weight, the
// first listed on a tie.
//
// A state is a tournament over the servers (Knuth, The Art of Computer Programming 3, 5.4.1): every
// inner node holds the better of its two children, the root the best of all, and a change of one
// server replays its matches on the way up, log2(servers) of them.
//
// With several workers the true counts are shared counters that others change unheard. A worker
// plays with the counts that it knows: its own leases and releases at once, those of others by
// looking. Each pick looks at the winner, until one is as good as was known, and at some servers in
// turn, so that one that others have left is noticed: two, or as many as it takes for none to be
// older than 10 ms. A single worker knows everything and picks exactly.

#include "balance/picker.h"

namespace weir::balance {

struct LeastConnectionsSettings {};
template <class V>
void describe(V&, LeastConnectionsSettings&) {}

class LeastConnectionsPicker final : public Picker {
 public:
  explicit LeastConnectionsPicker(LeastConnectionsSettings = {}) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;
  void on_lease(const Table& table, State& state, ServerIndex server,
                TimePoint now) const noexcept override;
  void on_release(const Table& table, State& state, ServerIndex server, AttemptEnd end,
                  TimePoint now) const noexcept override;
};

}  // namespace weir::balance
