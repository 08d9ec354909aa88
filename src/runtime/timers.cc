#include "runtime/timers.h"

#include <algorithm>
#include <bit>

namespace weir {
namespace {

constexpr std::int64_t kTickNs = 1'000'000;

}  // namespace

void Timer::arm(Timers& timers, TimePoint deadline) noexcept {
  deadline_ = deadline;
  if (deadline == kNever) return;
  if (is_linked()) {
    if (deadline >= slot_time_) return;
    unlink();
  }
  timers.insert(*this);
}

Timers::Timers(TimePoint now) noexcept
    : tick_(static_cast<std::uint64_t>(now.time_since_epoch().count() / kTickNs)) {}

std::uint64_t Timers::tick_at_or_after(TimePoint time) noexcept {
  return static_cast<std::uint64_t>((time.time_since_epoch().count() + kTickNs - 1) / kTickNs);
}

// A timer goes to the lowest level whose span covers its distance. What is further away than the
// top level's span waits in its last slot and is put in again from there.
void Timers::insert(Timer& timer) noexcept {
  std::uint64_t due = std::max(tick_at_or_after(timer.deadline_), tick_ + 1);
  due = std::min(due, tick_ + (std::uint64_t{1} << (kBits * kLevels)) -
                          (std::uint64_t{1} << (kBits * (kLevels - 1))));
  int level = 0;
  while (((due >> (kBits * level)) - (tick_ >> (kBits * level))) >= kSlots) ++level;
  const std::uint64_t slot = (due >> (kBits * level)) & (kSlots - 1);
  // A slot of a higher level is looked at when its first tick begins.
  const std::uint64_t looked_at = due >> (kBits * level) << (kBits * level);
  timer.slot_time_ = TimePoint(Duration(static_cast<std::int64_t>(looked_at) * kTickNs));
  levels_[level].slots[slot].push_back(timer);
  levels_[level].occupied |= std::uint64_t{1} << slot;
}

TimePoint Timers::next() const noexcept {
  const std::uint64_t tick = next_tick();
  if (tick == UINT64_MAX) return kNever;
  return TimePoint(Duration(static_cast<std::int64_t>(tick) * kTickNs));
}

// The next tick at which a slot of any level is to be looked at.
std::uint64_t Timers::next_tick() const noexcept {
  std::uint64_t soonest = UINT64_MAX;
  for (int level = 0; level < kLevels; ++level) {
    const std::uint64_t occupied = levels_[level].occupied;
    if (occupied == 0) continue;
    const std::uint64_t position = tick_ >> (kBits * level);
    const int from = static_cast<int>((position + 1) & (kSlots - 1));
    const auto ahead = static_cast<std::uint64_t>(std::countr_zero(std::rotr(occupied, from)));
    soonest = std::min(soonest, (position + 1 + ahead) << (kBits * level));
  }
  return soonest;
}

void Timers::expire(TimePoint now) noexcept {
  const auto target = static_cast<std::uint64_t>(now.time_since_epoch().count() / kTickNs);
  while (tick_ < target) {
    const std::uint64_t tick = next_tick();
    if (tick > target) {
      tick_ = target;
      return;
    }
    tick_ = tick;
    for (int level = kLevels - 1; level > 0; --level) {
      if ((tick_ & ((std::uint64_t{1} << (kBits * level)) - 1)) == 0) cascade(level);
    }
    run_slot(tick_ & (kSlots - 1), now);
  }
}

void Timers::cascade(int level) noexcept {
  const std::uint64_t slot = (tick_ >> (kBits * level)) & (kSlots - 1);
  if ((levels_[level].occupied & (std::uint64_t{1} << slot)) == 0) return;
  levels_[level].occupied &= ~(std::uint64_t{1} << slot);
  IntrusiveList<Timer> moving;
  levels_[level].slots[slot].splice_to(moving);
  // insert() puts nothing at the present tick: what is due now must be run with this tick's slot.
  while (!moving.is_empty()) {
    Timer& timer = moving.pop_front();
    if (timer.deadline_ == kNever) continue;
    if (tick_at_or_after(timer.deadline_) > tick_) {
      insert(timer);
    } else {
      levels_[0].slots[tick_ & (kSlots - 1)].push_back(timer);
      levels_[0].occupied |= std::uint64_t{1} << (tick_ & (kSlots - 1));
    }
  }
}

void Timers::run_slot(std::uint64_t slot, TimePoint now) noexcept {
  if ((levels_[0].occupied & (std::uint64_t{1} << slot)) == 0) return;
  levels_[0].occupied &= ~(std::uint64_t{1} << slot);
  IntrusiveList<Timer> due;
  levels_[0].slots[slot].splice_to(due);
  while (!due.is_empty()) {
    Timer& timer = due.pop_front();
    if (timer.deadline_ == kNever) continue;
    if (timer.deadline_ > now) {
      insert(timer);
      continue;
    }
    timer.deadline_ = kNever;
    ++fired_;
    timer.callback_(timer);
  }
}

}  // namespace weir
