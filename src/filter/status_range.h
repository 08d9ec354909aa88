#pragma once
// StatusRange: one status, a class of them, or from one to another: 404, 4xx, 500-599.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <type_traits>

#include "config/scalars.h"

namespace weir::filter {

// Both inclusive, 100 to 599.
struct StatusRange {
  std::uint16_t first = 100;
  std::uint16_t last = 599;

  bool contains(std::uint16_t status) const noexcept { return first <= status && status <= last; }
};

// For the configuration reader (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, StatusRange& out);
std::string print_scalar(const StatusRange& range);
constexpr config::ScalarInfo scalar_info(std::type_identity<StatusRange>) {
  return {"a status, a class or a range", "404, 4xx or 500-599",
          R"("type": ["string", "integer"], )"
          R"("pattern": "^[1-5](xx|[0-9][0-9](-[1-5][0-9][0-9])?)$", )"
          R"("minimum": 100, "maximum": 599)",
          config::Quotes::allowed};
}

}  // namespace weir::filter
