#pragma once
// ScoreForecast: what the score of a server is expected to be a while from now, so that traffic
// leaves a server before its load rises rather than after. A score is as measured, and what the
// forecast (forecast.h) says that it will change by is added: with a steady past, nothing.

#include <cstdint>
#include <optional>

#include "balance/forecast.h"
#include "base/time.h"

namespace weir::balance {

struct ForecastSettings {
  // A forecast of a week in minutes.
  static constexpr std::uint32_t kStepsMax = 10'080;

  Duration ahead = std::chrono::seconds(30);
  Duration step = std::chrono::seconds(10);
  std::optional<Duration> season = {};

  // Of a season, rounded down; 0: there is none.
  std::uint64_t season_steps() const noexcept {
    return season ? static_cast<std::uint64_t>(*season / step) : 0;
  }
  friend bool operator==(const ForecastSettings&, const ForecastSettings&) = default;
};
template <class V>
void describe(V& v, ForecastSettings& s) {
  v.field("ahead", s.ahead, "How far ahead scores are looked for.")
      .range(std::chrono::seconds(1), std::chrono::hours(1));
  v.field("step", s.step, "How much time a step of the forecast is, of which it learns the mean.")
      .range(std::chrono::seconds(1), std::chrono::hours(1));
  v.field("season", s.season,
          "After how long load repeats itself: 24h or 168h, of 2 to 10080 steps. Without it, load "
          "is expected to go on rising or falling as it does.")
      .range(std::chrono::seconds(2), std::chrono::hours(24 * 7));
}

class ScoreForecast {
 public:
  // season_steps() is 0, or 2 to kStepsMax. Allocates; nothing else does.
  explicit ScoreForecast(const ForecastSettings& settings);

  const ForecastSettings& settings() const noexcept { return settings_; }
  // The score to go by, 0 or more, for the one measured at `now`, which never goes back. One that
  // is not finite is returned as it is, and nothing is learned of it.
  float expect(float score, TimePoint now) noexcept;

 private:
  void end_steps(TimePoint now) noexcept;

  ForecastSettings settings_;
  Forecast forecast_;
  std::optional<TimePoint> step_end_;  // of the step under way
  double sum_ = 0;                     // of the scores of that step
  std::uint32_t count_ = 0;
};

}  // namespace weir::balance
