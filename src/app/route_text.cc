#include "app/route_text.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace weir::app {
namespace {

// "a or b"; each after its key.
template <class T>
std::string alternatives(std::string_view key, const std::vector<T>& values) {
  std::string text;
  for (const T& value : values) {
    text += fmt::format("{}{} {}", text.empty() ? "" : " or ", key, print_scalar(value));
  }
  return text;
}

std::string join(std::string_view first, std::string_view separator, std::string_view second) {
  return fmt::format("{}{}{}", first, first.empty() || second.empty() ? "" : separator, second);
}

}  // namespace

std::string_view name_of(proxy::Protocol protocol) {
  const auto names = names_of(protocol);
  return std::ranges::find(names, protocol, &decltype(names)::value_type::second)->first;
}

std::string print_hosts(const proxy::MatchSettings& match) {
  return alternatives("host", match.host);
}

std::string print_paths(const proxy::MatchSettings& match) {
  return join(alternatives("path", match.path), " or ",
              alternatives("path_prefix", match.path_prefix));
}

std::string print_match(const proxy::MatchSettings& match) {
  const std::string text = join(print_hosts(match), ", ", print_paths(match));
  return text.empty() ? "any request" : text;
}

}  // namespace weir::app
