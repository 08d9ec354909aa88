#pragma once
// Trace: what happened in a simulation, line by line. Off, a line costs one comparison.

#include <fmt/core.h>
#include <iterator>
#include <string>

#include "base/time.h"

namespace weir::sim {

class Trace {
 public:
  // Where lines go; nullptr: nowhere. The text must outlive the trace.
  void write_to(std::string* text) noexcept { text_ = text; }
  bool is_on() const noexcept { return text_ != nullptr; }

  template <class... Arguments>
  void line(TimePoint now, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (text_ == nullptr) return;
    fmt::format_to(std::back_inserter(*text_), "{:.6f} ",
                   std::chrono::duration<double>(now.time_since_epoch()).count());
    fmt::format_to(std::back_inserter(*text_), format, std::forward<Arguments>(arguments)...);
    *text_ += '\n';
  }

 private:
  std::string* text_ = nullptr;
};

}  // namespace weir::sim
