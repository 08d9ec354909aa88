#include "proxy/log_format.h"

#include <algorithm>
#include <array>
#include <utility>

#include "config/text.h"

namespace weir::proxy {
namespace {

using Kind = LogFormat::Kind;

constexpr std::array kNames = {std::pair<std::string_view, Kind>{"combined", Kind::combined},
                               std::pair<std::string_view, Kind>{"json", Kind::json},
                               std::pair<std::string_view, Kind>{"off", Kind::off}};

}  // namespace

std::expected<void, std::string> parse_scalar(std::string_view text, LogFormat& out) {
  if (text.contains('$')) {
    auto parsed = Template::parse(text, Known::end);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    out = {.kind = Kind::text, .text = std::move(*parsed)};
    return {};
  }
  config::Nearest nearest(text);
  for (const auto& [name, kind] : kNames) {
    if (name == text) {
      out = {.kind = kind};
      return {};
    }
    nearest.consider(name);
  }
  if (nearest.best().empty()) return std::unexpected(std::string());
  return std::unexpected("did you mean " + config::quote(nearest.best()) + "?");
}

std::string print_scalar(const LogFormat& format) {
  const auto* named = std::ranges::find(kNames, format.kind, &decltype(kNames)::value_type::second);
  return named == kNames.end() ? format.text.text() : std::string(named->first);
}

}  // namespace weir::proxy
