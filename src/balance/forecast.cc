#include "balance/forecast.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/assert.h"

namespace weir::balance {

Forecast::Forecast(const ForecastOptions& options)
    : options_(options), season_(options.season_steps) {
  WEIR_ASSERT(options.season_steps != 1);
}

void Forecast::add(double rate) noexcept {
  WEIR_ASSERT(rate >= 0);
  if (!is_ready()) {
    begin(rate);
    return;
  }
  double* seasonal = has_season() ? &season_[added_ % season_.size()] : nullptr;
  const double base = seasonal == nullptr ? rate : rate - *seasonal;
  const double level = std::lerp(level_ + trend_, base, options_.level);
  trend_ = std::lerp(trend_, level - level_, options_.trend);
  level_ = level;
  if (seasonal != nullptr) *seasonal = std::lerp(*seasonal, rate - level, options_.season);
  last_ = rate;
  ++added_;
}

bool Forecast::is_ready() const noexcept {
  return added_ >= std::max<std::size_t>(season_.size(), 2);
}

double Forecast::ahead(std::size_t steps) const noexcept {
  WEIR_ASSERT(steps > 0);
  if (!is_ready()) return last_;
  double rate = level_ + (trend_ * static_cast<double>(steps));
  if (has_season()) rate += season_[(added_ + steps - 1) % season_.size()];
  return std::max(rate, 0.0);
}

void Forecast::begin(double rate) noexcept {
  if (has_season()) {
    season_[added_] = rate;
  } else if (added_ == 1) {
    trend_ = rate - last_;
  }
  level_ = rate;
  last_ = rate;
  ++added_;
  if (has_season() && added_ == season_.size()) end_first_season();
}

// Of one season alone nothing says what was trend in it: it is taken for level.
void Forecast::end_first_season() noexcept {
  level_ = std::reduce(season_.begin(), season_.end()) / static_cast<double>(season_.size());
  for (double& seasonal : season_) seasonal -= level_;
}

}  // namespace weir::balance
