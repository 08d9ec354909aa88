#pragma once
// Least response time: the server that answers soonest for what it has in flight.

#include <array>
#include <string_view>
#include <utility>

#include "balance/time_picker.h"

namespace weir::balance {

constexpr auto names_of(Measured) {
  return std::to_array<std::pair<std::string_view, Measured>>(
      {{"header", Measured::header}, {"last_byte", Measured::last_byte}});
}
constexpr auto names_of(TimeFormula) {
  return std::to_array<std::pair<std::string_view, TimeFormula>>(
      {{"product", TimeFormula::product}, {"sum", TimeFormula::sum}, {"time", TimeFormula::time}});
}

enum class TimeAverage : std::uint8_t { ewma, window };
constexpr auto names_of(TimeAverage) {
  return std::to_array<std::pair<std::string_view, TimeAverage>>(
      {{"ewma", TimeAverage::ewma}, {"window", TimeAverage::window}});
}

struct LeastTimeSettings {
  Measured measure = Measured::header;
  TimeFormula formula = TimeFormula::product;
  Duration lease_time = std::chrono::milliseconds(10);
  TimeAverage average = TimeAverage::ewma;
  double alpha = 0.2;
  std::uint32_t samples = 100;
  double spike_limit = 5;
  double cpu = 0;
  double round_trip = 0;
};
template <class V>
void describe(V& v, LeastTimeSettings& s) {
  v.field("measure", s.measure,
          "header: the time until the response begins. last_byte: until it has ended.");
  v.field("formula", s.formula,
          "What is compared. product: time * (requests in flight + 1) / weight. sum: (time + "
          "requests in flight * lease_time) / weight. time: the time alone.");
  v.field("lease_time", s.lease_time, "What each request in flight adds with `formula: sum`.")
      .range(Duration(0), std::chrono::hours(1));
  v.field("average", s.average,
          "ewma: the average moves with each response. window: the mean of the last `samples`.");
  v.field("alpha", s.alpha, "How much of the difference a response moves an `ewma`.")
      .range(0.01, 1.0);
  v.field("samples", s.samples, "Responses in a `window`.").range(1, 1000);
  v.field("spike_limit", s.spike_limit,
          "A response counts at most so many times the average, until three in a row exceed that.")
      .range(1.0, 1000.0);
  v.field("cpu", s.cpu,
          "How much longer a server counts whose CPU is fully used: 1 is twice as long. Needs load "
          "reports.")
      .range(0.0, 10.0);
  v.field("round_trip", s.round_trip,
          "How much longer a server counts whose network round trip is as long as that of all on "
          "average.")
      .range(0.0, 10.0);
}

class LeastTimePicker final : public TimePicker {
 public:
  explicit LeastTimePicker(const LeastTimeSettings& settings = {});
};

}  // namespace weir::balance
