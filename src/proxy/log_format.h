#pragma once
// How a line of a listener's access log looks: one of the formats that the log thread lays out, or
// text with values, which the worker writes.

#include <expected>
#include <string>
#include <string_view>
#include <type_traits>

#include "config/scalars.h"
#include "proxy/template.h"

namespace weir::proxy {

// The longest line of a format of one's own; a longer one is cut.
inline constexpr std::size_t kLogLineBytesMax = 8192;

struct LogFormat {
  enum class Kind : std::uint8_t { combined, json, text, off };
  Kind kind = Kind::combined;
  Template text = {};  // of Kind::text
};

// For the configuration reader (config/scalars.h). What has a dollar in it is text.
std::expected<void, std::string> parse_scalar(std::string_view text, LogFormat& out);
std::string print_scalar(const LogFormat& format);
constexpr config::ScalarInfo scalar_info(std::type_identity<LogFormat>) {
  return {"combined, json, off or text with values", "'${client.address} ${response.status}'",
          R"("anyOf": [{"enum": ["combined", "json", "off"]}, )"
          R"({"type": "string", "pattern": "[$]"}])",
          config::Quotes::allowed};
}

}  // namespace weir::proxy
