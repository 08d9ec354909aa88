#include "app/settings.h"

#include <charconv>
#include <fmt/format.h>

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

std::expected<void, std::string> parse_scalar(std::string_view text, FileMode& out) {
  const auto [end, error] = std::from_chars(text.begin(), text.end(), out.bits, 8);
  if (text.size() != 3 || error != std::errc() || end != text.end()) {
    return std::unexpected(std::string());
  }
  return {};
}

std::string print_scalar(FileMode value) { return fmt::format("{:03o}", value.bits); }

}  // namespace weir::app
