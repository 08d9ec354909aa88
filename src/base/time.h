#pragma once
// Time is an argument. Only a reactor reads a clock, once a loop; everything else is told the time.

#include <chrono>
#include <cstdint>

namespace weir {

using Duration = std::chrono::nanoseconds;
// Monotonic; the origin has no meaning (boot on Linux, zero in the simulation).
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
// Wall clock, for logs and Date only.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

inline constexpr TimePoint kNever = TimePoint::max();

}  // namespace weir
