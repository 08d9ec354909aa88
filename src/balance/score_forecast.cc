#include "balance/score_forecast.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace weir::balance {
namespace {

// A season says more of the next hours than the last minutes do: forecast.h.
ForecastOptions options_of(const ForecastSettings& settings) {
  if (!settings.season) return {};
  const std::uint64_t steps = settings.season_steps();
  WEIR_ASSERT(steps >= 2 && steps <= ForecastSettings::kStepsMax);
  return {.level = 0.02, .trend = 0, .season_steps = static_cast<std::uint32_t>(steps)};
}

}  // namespace

ScoreForecast::ScoreForecast(const ForecastSettings& settings)
    : settings_(settings), forecast_(options_of(settings)) {}

float ScoreForecast::expect(float score, TimePoint now) noexcept {
  if (!std::isfinite(score)) return score;
  end_steps(now);
  sum_ += std::max(0.0F, score);
  ++count_;
  if (!forecast_.is_ready()) return score;
  const auto steps = static_cast<std::size_t>(settings_.ahead / settings_.step);
  const double change = forecast_.ahead(steps + 1) - forecast_.ahead(1);
  return std::max(0.0F, score + static_cast<float>(change));
}

// A step of which nothing is known was as the one before it.
void ScoreForecast::end_steps(TimePoint now) noexcept {
  if (!step_end_) step_end_ = now + settings_.step;
  if (now < *step_end_) return;
  const auto ended = 1 + ((now - *step_end_) / settings_.step);
  const double mean = count_ == 0 ? 0 : sum_ / count_;
  const auto learned = std::min<Duration::rep>(ended, ForecastSettings::kStepsMax);
  for (Duration::rep i = 0; i < learned; ++i) forecast_.add(mean);
  *step_end_ += ended * settings_.step;
  sum_ = 0;
  count_ = 0;
}

}  // namespace weir::balance
