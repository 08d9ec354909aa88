#pragma once
// Which reactor the tests above the runtime use: WEIR_REACTOR=io_uring in the environment, or
// epoll.

#include <cstdlib>
#include <string_view>

#include "runtime/system_reactor.h"

namespace weir {

inline ReactorKind reactor_under_test() {
  const char* wanted = std::getenv("WEIR_REACTOR");
  const bool is_io_uring = wanted != nullptr && wanted == name_of(ReactorKind::io_uring);
  return is_io_uring ? ReactorKind::io_uring : ReactorKind::epoll;
}

}  // namespace weir
