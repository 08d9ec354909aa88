#pragma once
// Slow start: a server that is new or back gets its share of the traffic little by little, so that
// cold caches and empty connection pools do not meet the full load.

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/time.h"

namespace weir::health {

enum class Ramp : std::uint8_t {
  linear,  // in proportion to the time since, at least 1 %
  steps,   // 10 %, 50 % and 100 %, a third of the time each for the first two and the rest of it
};
constexpr auto names_of(Ramp) {
  return std::to_array<std::pair<std::string_view, Ramp>>(
      {{"linear", Ramp::linear}, {"steps", Ramp::steps}});
}

struct SlowStartSettings {
  Duration time = std::chrono::seconds(30);
  Ramp ramp = Ramp::linear;
};

template <class V>
void describe(V& v, SlowStartSettings& s) {
  using namespace std::chrono_literals;
  v.field("time", s.time, "Until the server has its whole share.").range(1ms, 24h);
  v.field("ramp", s.ramp, "How the share grows: in proportion to the time, or 10 %, 50 %, 100 %.");
}

// The part of its weight that a server has `since` after it became usable: above 0, at most 1.
constexpr double share_after(const SlowStartSettings& settings, Duration since) noexcept {
  if (since >= settings.time) return 1;
  const double part =
      static_cast<double>(since.count()) / static_cast<double>(settings.time.count());
  if (settings.ramp == Ramp::linear) return part < 0.01 ? 0.01 : part;
  return part < 1.0 / 3 ? 0.1 : part < 2.0 / 3 ? 0.5 : 1;
}

}  // namespace weir::health
