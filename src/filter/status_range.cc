#include "filter/status_range.h"

#include <fmt/format.h>

namespace weir::filter {
namespace {

bool parse_status(std::string_view text, std::uint16_t& out) {
  return config::parse_scalar(text, out) && out >= 100 && out <= 599;
}

}  // namespace

std::expected<void, std::string> parse_scalar(std::string_view text, StatusRange& out) {
  StatusRange range;
  const bool is_class =
      text.size() == 3 && text.ends_with("xx") && text[0] >= '1' && text[0] <= '5';
  if (is_class) {
    range.first = static_cast<std::uint16_t>((text[0] - '0') * 100);
    range.last = static_cast<std::uint16_t>(range.first + 99);
  } else {
    const std::size_t dash = text.find('-');
    const bool is_range = dash != std::string_view::npos;
    const std::string_view last = is_range ? text.substr(dash + 1) : text;
    if (!parse_status(text.substr(0, dash), range.first) || !parse_status(last, range.last)) {
      return std::unexpected(std::string());
    }
    if (range.first > range.last) return std::unexpected("the range ends before it begins");
  }
  out = range;
  return {};
}

std::string print_scalar(const StatusRange& range) {
  if (range.first == range.last) return std::to_string(range.first);
  return fmt::format("{}-{}", range.first, range.last);
}

}  // namespace weir::filter
