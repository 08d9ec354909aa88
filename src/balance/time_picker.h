#pragma once
// What the pickers have in common that go by how long the servers take: the server with the lowest
// cost made of its time and of its leases, among those of a Shortlist.
//
// A server of which nothing is known counts as fast as the fastest that is compared, so that it is
// tried; but a worker has no more than one attempt on it until it knows more, so that a slow one
// does no harm.

#include "balance/picker.h"
#include "balance/response_times.h"

namespace weir::balance {

enum class Measured : std::uint8_t { header, last_byte };

// product: time * (leases + 1) / weight. sum: (time + leases * lease_time) / weight. time: alone.
enum class TimeFormula : std::uint8_t { product, sum, time };

struct TimePickerOptions {
  ResponseTimesOptions times = {};
  Measured measured = Measured::header;
  TimeFormula formula = TimeFormula::product;
  Duration lease_time = {};
};

class TimePicker : public Picker {
 public:
  explicit TimePicker(const TimePickerOptions& options) : options_(options) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  // PickInput::scores, if there are any, say how much longer each server counts than it takes: 0.5
  // is half as long again.
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;
  void on_lease(const Table& table, State& state, ServerIndex server,
                TimePoint now) const noexcept override;
  void on_response(const Table& table, State& state, ServerIndex server, Duration after,
                   TimePoint now) const noexcept override;
  void on_release(const Table& table, State& state, ServerIndex server, AttemptEnd end,
                  TimePoint now) const noexcept override;

 private:
  TimePickerOptions options_;
};

}  // namespace weir::balance
