#pragma once
// Learns which readings of a server explain how long it takes to answer: for each of them the
// correlation with the response time, over all servers and over time, where what was seen fades to
// 1/e in five minutes.
//
// The tuned weights have the same sum as the configured ones. Of that sum a part follows the
// squares of the positive correlations (the shares of the variance that the readings explain), the
// rest the configuration. That part grows with what was seen, up to 80 %; what explains nothing
// keeps a fifth of its weight, and a reading configured with 0 stays out.

#include <optional>
#include <span>
#include <vector>

#include "base/time.h"

namespace weir::balance {

class WeightTuner {
 public:
  // The configured weight of each reading, 0 or more.
  explicit WeightTuner(std::vector<double> configured);

  // Before what is seen at that time; it never goes back.
  void fade(TimePoint now);
  // The readings of one server, each within 0 to 1 or not known, and its response time.
  void learn(std::span<const std::optional<double>> readings, double response_ms);

  std::vector<double> weights() const;

 private:
  // Of the pairs of one reading (x) and the response time (y).
  struct Sums {
    double count = 0;
    double x = 0;
    double y = 0;
    double xx = 0;
    double xy = 0;
    double yy = 0;
  };
  static double explained(const Sums& sums);

  std::vector<double> configured_;
  std::vector<Sums> sums_;  // of each reading
  std::optional<TimePoint> faded_at_;
};

}  // namespace weir::balance
