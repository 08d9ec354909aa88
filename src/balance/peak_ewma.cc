#include "balance/peak_ewma.h"

namespace weir::balance {

PeakEwmaPicker::PeakEwmaPicker(const PeakEwmaSettings& settings)
    : TimePicker({.times = {.averaging = Averaging::peak, .decay = settings.decay}}) {}

}  // namespace weir::balance
