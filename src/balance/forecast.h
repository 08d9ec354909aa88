#pragma once
// A forecast of a rate, measured at even steps: Holt-Winters (Holt 1957, Winters 1960), additive. A
// level, a trend and, with a season of n steps (a day, a week), what each step of the season adds,
// are smoothed exponentially; ahead, they go on as they are.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::balance {

// Each factor is 0 to 1: how much a measurement moves what is known; 1 knows the last alone. With a
// season the level should be slow (0.02) and the trend 0: else they take for their own what the
// season has yet to learn, and a trend is carried through all the steps ahead.
struct ForecastOptions {
  double level = 0.3;
  double trend = 0.05;
  double season = 0.3;
  std::uint32_t season_steps = 0;  // 0: no season; not 1
};

class Forecast {
 public:
  // The only allocation.
  explicit Forecast(const ForecastOptions& options);

  // The rate of the next step, 0 or more.
  void add(double rate) noexcept;
  // Whether enough is known to look ahead: two steps, or one whole season.
  bool is_ready() const noexcept;
  // The rate so many steps after the last that was added, at least 1 and never below 0; when it is
  // not ready, the last rate.
  double ahead(std::size_t steps) const noexcept;

 private:
  void begin(double rate) noexcept;
  void end_first_season() noexcept;
  bool has_season() const noexcept { return !season_.empty(); }

  ForecastOptions options_;
  std::size_t added_ = 0;
  double last_ = 0;
  double level_ = 0;
  double trend_ = 0;            // a step
  std::vector<double> season_;  // what each step adds to the level
};

}  // namespace weir::balance
