#include "balance/least_time.h"

namespace weir::balance {
namespace {

TimePickerOptions options_of(const LeastTimeSettings& settings) {
  const bool is_window = settings.average == TimeAverage::window;
  return {.times = {.averaging = is_window ? Averaging::window : Averaging::ewma,
                    .alpha = settings.alpha,
                    .samples = settings.samples,
                    .spike_limit = settings.spike_limit},
          .measured = settings.measure,
          .formula = settings.formula,
          .lease_time = settings.lease_time};
}

}  // namespace

LeastTimePicker::LeastTimePicker(const LeastTimeSettings& settings)
    : TimePicker(options_of(settings)) {}

}  // namespace weir::balance
