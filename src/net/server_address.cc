#include "net/server_address.h"

#include <algorithm>
#include <charconv>
#include <ranges>

namespace weir::net {
namespace {

constexpr std::size_t kNameBytesMax = 253;
constexpr std::size_t kLabelBytesMax = 63;

using Problem = std::unexpected<std::string>;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Empty: nothing.
std::string_view find_problem(std::string_view label) {
  if (label.empty()) return "the name has an empty label";
  if (label.size() > kLabelBytesMax) return "a label of a name has at most 63 characters";
  const auto may_be = [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; };
  if (!std::ranges::all_of(label, may_be)) {
    return "a name consists of letters, digits, '-', '_' and '.'";
  }
  if (label.front() == '-' || label.back() == '-') {
    return "no label of a name begins or ends with '-'";
  }
  return {};
}

std::expected<void, std::string> check_name(std::string_view name) {
  // The dot at the end says that the name is a whole one.
  if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kNameBytesMax) return Problem("a name has at most 253 characters");
  std::string_view last;
  for (const auto part : name | std::views::split('.')) {
    last = std::string_view(part.begin(), part.end());
    if (const auto problem = find_problem(last); !problem.empty()) {
      return Problem(std::string(problem));
    }
  }
  // What looks like an IPv4 address is none, or it would have been read as one.
  if (is_number(last)) return Problem(std::string());
  return {};
}

}  // namespace

std::string ServerAddress::to_string() const {
  return is_name() ? host + ":" + std::to_string(address.port()) : address.to_string();
}

std::expected<void, std::string> parse_scalar(std::string_view text, ServerAddress& out) {
  auto address = Address::parse_with_optional_port(text);
  if (address) {
    out = {.address = *address, .host = {}};
    return {};
  }
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const bool is_name = !text.starts_with("unix:") && !text.starts_with('[') && !name.empty() &&
                       text.find(':', name.size() + 1) == std::string_view::npos;
  if (!is_name) return Problem(address.error());
  if (const auto checked = check_name(name); !checked) return checked;
  if (colon == std::string_view::npos) return Problem("a host name needs a port");
  const std::string_view port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.begin(), port_text.end(), port);
  if (error != std::errc() || end != port_text.end() || port == 0) {
    return Problem("a port is a number from 1 to 65535");
  }
  out.address = Address();
  out.address.set_port(port);
  out.host = name;
  return {};
}

std::string print_scalar(const ServerAddress& address) { return address.to_string(); }

}  // namespace weir::net
