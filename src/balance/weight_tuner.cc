#include "balance/weight_tuner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "base/assert.h"

namespace weir::balance {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr Seconds kMemory = std::chrono::minutes(5);
constexpr double kTunedMax = 0.8;
// Pairs seen after which half of kTunedMax is reached.
constexpr double kHalfSeen = 100;
// A variance below this, of readings within 0 to 1, is rounding.
constexpr double kVarianceMin = 1e-9;

}  // namespace

WeightTuner::WeightTuner(std::vector<double> configured)
    : configured_(std::move(configured)), sums_(configured_.size()) {}

void WeightTuner::fade(TimePoint now) {
  if (faded_at_) {
    const double kept = std::exp(-(Seconds(now - *faded_at_) / kMemory));
    for (Sums& sums : sums_) {
      for (double* sum : {&sums.count, &sums.x, &sums.y, &sums.xx, &sums.xy, &sums.yy}) {
        *sum *= kept;
      }
    }
  }
  faded_at_ = now;
}

void WeightTuner::learn(std::span<const std::optional<double>> readings, double response_ms) {
  WEIR_ASSERT(readings.size() == sums_.size());
  for (std::size_t i = 0; i < readings.size(); ++i) {
    if (!readings[i]) continue;
    const double x = *readings[i];
    Sums& sums = sums_[i];
    sums.count += 1;
    sums.x += x;
    sums.y += response_ms;
    sums.xx += x * x;
    sums.xy += x * response_ms;
    sums.yy += response_ms * response_ms;
  }
}

std::vector<double> WeightTuner::weights() const {
  std::vector<double> explains(configured_.size());
  double seen = 0;
  for (std::size_t i = 0; i < configured_.size(); ++i) {
    if (configured_[i] > 0) explains[i] = explained(sums_[i]);
    seen = std::max(seen, sums_[i].count);
  }
  const double explained_sum = std::accumulate(explains.begin(), explains.end(), 0.0);
  if (explained_sum == 0) return configured_;
  const double configured_sum = std::accumulate(configured_.begin(), configured_.end(), 0.0);
  // What little chance correlations explain moves little.
  const double tuned = kTunedMax * std::min(1.0, explained_sum) * seen / (seen + kHalfSeen);
  std::vector<double> weights(configured_.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = std::lerp(configured_[i], configured_sum * explains[i] / explained_sum, tuned);
  }
  return weights;
}

double WeightTuner::explained(const Sums& sums) {
  if (sums.count <= 1) return 0;
  const double x = sums.x / sums.count;
  const double y = sums.y / sums.count;
  const double x_variance = (sums.xx / sums.count) - (x * x);
  const double y_variance = (sums.yy / sums.count) - (y * y);
  const double covariance = (sums.xy / sums.count) - (x * y);
  if (x_variance < kVarianceMin || y_variance < kVarianceMin * y * y || covariance <= 0) return 0;
  return std::min(1.0, covariance * covariance / (x_variance * y_variance));
}

}  // namespace weir::balance
