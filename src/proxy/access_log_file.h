#pragma once
// What a worker needs to know of the file that a listener's lines go to. The log thread owns the
// file itself, and closes it when no listener holds this any more and all is written.

#include <atomic>
#include <cstdint>

namespace weir::proxy {

struct AccessLogFile {
  std::uint32_t index;             // a record in a LogRing starts with it
  std::atomic<bool> full = false;  // it takes no lines at present: workers drop and count them
};

}  // namespace weir::proxy
