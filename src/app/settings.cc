#include "app/settings.h"

#include "config/scalars.h"

namespace weir::app {

std::expected<void, std::string> parse_scalar(std::string_view text, WorkerCount& out) {
  if (text == "auto") {
    out.count = 0;
    return {};
  }
  const auto parsed = config::parse_scalar(text, out.count);
  if (!parsed || out.count < 1 || out.count > kWorkersMax) return std::unexpected(std::string());
  return {};
}

std::string print_scalar(WorkerCount value) {
  return value.count == 0 ? "auto" : std::to_string(value.count);
}

}  // namespace weir::app
