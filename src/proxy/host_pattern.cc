#include "proxy/host_pattern.h"

#include <algorithm>

namespace weir::proxy {
namespace {

constexpr std::size_t kNameBytesMax = 253;  // RFC 1035 3.1, as text
constexpr std::size_t kLabelBytesMax = 63;

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr bool is_label_char(char c) noexcept {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}
constexpr bool is_ipv6_char(char c) noexcept {
  return (c >= 'a' && c <= 'f') || is_digit(c) || c == ':' || c == '.';
}

// Where the host of an authority ends, or nullopt if what follows is no port.
std::optional<std::size_t> find_host_end(std::string_view authority) noexcept {
  std::size_t end = authority.find(':');
  if (authority.starts_with('[')) {
    end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    ++end;
  }
  if (end == std::string_view::npos || end == authority.size()) return authority.size();
  if (authority[end] != ':') return std::nullopt;
  if (!std::ranges::all_of(authority.substr(end + 1), is_digit)) return std::nullopt;
  return end;
}

using Checked = std::expected<void, std::string>;

Checked check_label(std::string_view label) {
  if (label.empty()) return std::unexpected("a label between two dots is empty");
  if (label.size() > kLabelBytesMax) return std::unexpected("a label is longer than 63 bytes");
  if (label.contains('*')) {
    return std::unexpected("'*' stands for whole labels at the start or at the end only");
  }
  if (std::ranges::all_of(label, is_label_char)) return {};
  if (label.contains(':')) return std::unexpected("a host has no port or scheme here");
  return std::unexpected("a host name has letters, digits, '-', '_' and dots (others as punycode)");
}

Checked check_name(std::string_view name) {
  if (name.size() > kNameBytesMax) return std::unexpected("longer than 253 bytes");
  if (name.starts_with('[') && name.ends_with(']')) {
    const std::string_view address = name.substr(1, name.size() - 2);
    if (!address.empty() && std::ranges::all_of(address, is_ipv6_char)) return {};
    return std::unexpected("brackets hold an IPv6 address");
  }
  for (std::size_t start = 0; start <= name.size();) {
    const std::size_t end = std::min(name.find('.', start), name.size());
    if (Checked checked = check_label(name.substr(start, end - start)); !checked) return checked;
    start = end + 1;
  }
  return {};
}

}  // namespace

std::optional<std::string_view> normalize_host(std::string_view authority,
                                               HostBuffer& buffer) noexcept {
  const std::optional<std::size_t> end = find_host_end(authority);
  if (!end) return std::nullopt;
  std::string_view host = authority.substr(0, *end);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > buffer.size()) return std::nullopt;
  std::ranges::transform(host, buffer.begin(), to_lower);
  return std::string_view(buffer.data(), host.size());
}

std::expected<void, std::string> parse_scalar(std::string_view text, HostPattern& out) {
  HostPattern pattern;
  if (text == "*") {
    out = pattern;
    return {};
  }
  if (text.ends_with('.')) text.remove_suffix(1);
  pattern.kind = HostPattern::Kind::exact;
  if (text.starts_with("*.")) {
    pattern.kind = HostPattern::Kind::suffix;
    text.remove_prefix(2);
  } else if (text.ends_with(".*")) {
    pattern.kind = HostPattern::Kind::prefix;
    text.remove_suffix(2);
  }
  pattern.text.resize(text.size());
  std::ranges::transform(text, pattern.text.begin(), to_lower);
  if (Checked checked = check_name(pattern.text); !checked) return checked;
  out = std::move(pattern);
  return {};
}

std::string print_scalar(const HostPattern& pattern) {
  switch (pattern.kind) {
    case HostPattern::Kind::any:
      return "*";
    case HostPattern::Kind::exact:
      return pattern.text;
    case HostPattern::Kind::suffix:
      return "*." + pattern.text;
    case HostPattern::Kind::prefix:
      return pattern.text + ".*";
  }
  return {};
}

}  // namespace weir::proxy
