#pragma once
// Result<T>: a value or an Error. Nothing on the request path throws.

#include <expected>
#include <utility>

#include "base/error.h"

namespace weir {

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Error error) noexcept { return std::unexpected(error); }
inline std::unexpected<Error> fail(ErrorKind kind, Side side = Side::none,
                                   std::int32_t os_error = 0) noexcept {
  return std::unexpected(make_error(kind, side, os_error));
}

}  // namespace weir

// Evaluates a Result; on an error returns it from the function, else is the value.
#define WEIR_TRY(expression)                                       \
  ({                                                               \
    auto&& weir_result = (expression);                             \
    if (!weir_result) return std::unexpected(weir_result.error()); \
    *std::move(weir_result);                                       \
  })

// The same inside a coroutine; the expression may hold a co_await.
#define WEIR_CO_TRY(expression)                                       \
  ({                                                                  \
    auto&& weir_result = (expression);                                \
    if (!weir_result) co_return std::unexpected(weir_result.error()); \
    *std::move(weir_result);                                          \
  })
