#pragma once
// Assertions are for our own mistakes, never for what a peer sends.

namespace weir {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace weir

#if WEIR_ASSERTIONS
#define WEIR_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::weir::assertion_failed(#condition, __FILE__, __LINE__))
#else
#define WEIR_ASSERT(condition) static_cast<void>(sizeof(!(condition)))
#endif

// Marks a borrow that a function returns: it must not outlive the object it was asked of.
#define WEIR_LIFETIMEBOUND [[clang::lifetimebound]]
