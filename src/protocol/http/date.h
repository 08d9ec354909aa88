#pragma once
// The Date of a message (RFC 9110 5.6.7): Sun, 06 Nov 1994 08:49:37 GMT.

#include <cstddef>
#include <span>
#include <string_view>

#include "base/assert.h"
#include "base/time.h"

namespace weir::http {

inline constexpr std::size_t kDateBytes = 29;

// Years 0 to 9999. No allocation, no locale.
std::string_view write_date(WallTime time,
                            std::span<char, kDateBytes> out WEIR_LIFETIMEBOUND) noexcept;

}  // namespace weir::http
