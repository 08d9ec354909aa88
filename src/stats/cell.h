#pragma once
// A number that one thread counts and any thread reads. Reading and writing are plain loads and
// stores: only the owner writes, so nothing is lost without a locked instruction, and a reader sees
// a recent value, never a torn one.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/error.h"

namespace weir::stats {

class Cell {
 public:
  // Owner only.
  void add(std::uint64_t count = 1) noexcept { set(read() + count); }
  // Owner only.
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  // Any thread.
  std::uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};
static_assert(sizeof(Cell) == sizeof(std::uint64_t));

// Responses by class of status, 1xx to 5xx.
struct StatusCells {
  static constexpr std::size_t kClasses = 5;
  std::array<Cell, kClasses> classes;

  // Owner only; status is 100 to 599.
  void count(unsigned status) noexcept {
    WEIR_ASSERT(status >= 100 && status <= 599);
    classes[status / 100 - 1].add();
  }
};

inline constexpr auto kErrorKindCount = static_cast<std::size_t>(ErrorKind::count_);

// Errors by kind.
struct ErrorCells {
  std::array<Cell, kErrorKindCount> kinds;

  // Owner only.
  void count(ErrorKind kind) noexcept { kinds[static_cast<std::size_t>(kind)].add(); }
};

inline constexpr auto kSideCount = static_cast<std::size_t>(Side::weir) + 1;

// Errors by side and kind.
struct SideErrorCells {
  std::array<ErrorCells, kSideCount> sides;

  // Owner only.
  void count(Error error) noexcept {
    sides[static_cast<std::size_t>(error.side)].count(error.kind);
  }
};

}  // namespace weir::stats
