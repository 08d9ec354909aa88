#pragma once
// Peak EWMA, as Finagle and Linkerd have it: time * (leases + 1) / weight, where a slower response
// is believed at once and forgotten slowly.

#include "balance/time_picker.h"

namespace weir::balance {

struct PeakEwmaSettings {
  Duration decay = std::chrono::seconds(10);
};
template <class V>
void describe(V& v, PeakEwmaSettings& s) {
  v.field("decay", s.decay, "After so long without a response a server's time has faded to 37 %.")
      .range(std::chrono::milliseconds(100), std::chrono::hours(1));
}

class PeakEwmaPicker final : public TimePicker {
 public:
  explicit PeakEwmaPicker(const PeakEwmaSettings& settings = {});
};

}  // namespace weir::balance
