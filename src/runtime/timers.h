#pragma once
// Timers of one worker: a hierarchical wheel of 1 ms ticks (Varghese and Lauck 1987). Made for
// timeouts that hardly ever fire: moving a deadline later, or away, is one store; the timer is
// moved to its new slot only when the old one comes round.

#include <array>
#include <cstdint>

#include "base/intrusive_list.h"
#include "base/time.h"

namespace weir {

class Timers;

// Fires once at or after its deadline, never before. Disarmed when destroyed.
class Timer : private Link {
 public:
  using Callback = void (*)(Timer&) noexcept;
  explicit Timer(Callback callback) noexcept : callback_(callback) {}

  // Replaces the deadline of a timer that is armed already. kNever disarms.
  void arm(Timers& timers, TimePoint deadline) noexcept;
  void disarm() noexcept { deadline_ = kNever; }
  bool is_armed() const noexcept { return deadline_ != kNever; }

 private:
  friend class Timers;
  friend class IntrusiveList<Timer>;
  Callback callback_;
  TimePoint deadline_ = kNever;
  TimePoint slot_time_ = kNever;  // when the wheel will look at it, if linked
};

class Timers {
 public:
  explicit Timers(TimePoint now) noexcept;
  Timers(const Timers&) = delete;

  // Fires all that is due. Callbacks may arm, disarm and destroy timers.
  void expire(TimePoint now) noexcept;

  // When expire() should be called next at the latest; kNever if no timer is armed. May be early,
  // since a deadline that moved is found out only then.
  TimePoint next() const noexcept;

  std::uint64_t fired_count() const noexcept { return fired_; }

 private:
  friend class Timer;
  static constexpr int kLevels = 4;
  static constexpr int kBits = 6;
  static constexpr std::uint64_t kSlots = 1u << kBits;
  struct Level {
    std::array<IntrusiveList<Timer>, kSlots> slots;
    std::uint64_t occupied = 0;
  };

  static std::uint64_t tick_at_or_after(TimePoint time) noexcept;
  void insert(Timer& timer) noexcept;
  void cascade(int level) noexcept;
  void run_slot(std::uint64_t slot, TimePoint now) noexcept;
  std::uint64_t next_tick() const noexcept;

  std::array<Level, kLevels> levels_;
  std::uint64_t tick_;  // all ticks up to this one have been run
  std::uint64_t fired_ = 0;
};

}  // namespace weir
