#include "filter/set_cookie.h"

#include <algorithm>

#include "protocol/http/message.h"

namespace weir::filter {
namespace {

using http::equals_ignoring_case;

std::string_view trim(std::string_view text) noexcept {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// Takes what is before the next semicolon.
std::string_view take_part(std::string_view& rest) noexcept {
  const std::size_t end = std::min(rest.find(';'), rest.size());
  const std::string_view part = trim(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// Of a cookie or an attribute.
struct Pair {
  std::string_view name;
  std::string_view value;
};

Pair split(std::string_view part) noexcept {
  const std::size_t equals = part.find('=');
  if (equals == std::string_view::npos) return {.name = part, .value = {}};
  return {.name = trim(part.substr(0, equals)), .value = trim(part.substr(equals + 1))};
}

// Appends to a span. After the first text that does not fit it takes nothing more.
class Writer {
 public:
  explicit Writer(std::span<char> out) noexcept : out_(out) {}

  void put(std::string_view text) noexcept {
    fits_ = fits_ && text.size() <= out_.size() - bytes_;
    if (!fits_) return;
    std::ranges::copy(text, out_.begin() + static_cast<std::ptrdiff_t>(bytes_));
    bytes_ += text.size();
  }
  std::optional<std::size_t> bytes() const noexcept {
    return fits_ ? std::optional(bytes_) : std::nullopt;
  }

 private:
  std::span<char> out_;
  std::size_t bytes_ = 0;
  bool fits_ = true;
};

bool is_replaced(std::string_view attribute, const SetCookieSettings& settings) noexcept {
  return (settings.domain && equals_ignoring_case(attribute, "domain")) ||
         (settings.same_site && equals_ignoring_case(attribute, "samesite")) ||
         (settings.http_only && equals_ignoring_case(attribute, "httponly")) ||
         (settings.secure && equals_ignoring_case(attribute, "secure"));
}

// Whole segments: /a is the beginning of /a/b, not of /ab.
bool begins(std::string_view path, std::string_view with) noexcept {
  if (!path.starts_with(with)) return false;
  return path.size() == with.size() || with.ends_with('/') || path[with.size()] == '/';
}

// `path` with `to` in place of the `from` that it begins with, and one slash where they meet.
void put_path(Writer& writer, std::string_view path, const CookiePathSettings& settings) noexcept {
  const std::string_view rest = path.substr(settings.from.text.size());
  std::string_view to = settings.to.text;
  if (rest.empty()) return writer.put(to);
  if (to.ends_with('/')) to.remove_suffix(1);
  writer.put(to);
  if (!rest.starts_with('/')) writer.put("/");
  writer.put(rest);
}

std::string_view text_of(SameSite same_site) noexcept {
  switch (same_site) {
    case SameSite::lax:
      return "Lax";
    case SameSite::strict:
      return "Strict";
    case SameSite::none:
      return "None";
  }
  return {};
}

}  // namespace

std::expected<void, std::string> parse_scalar(std::string_view text, CookieText& out) {
  const bool is_allowed = std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= ' ' && byte != 0x7f && c != ';';
  });
  if (text.empty() || !is_allowed) return std::unexpected(std::string());
  out.text = text;
  return {};
}

std::string print_scalar(const CookieText& value) { return value.text; }

bool is_cookie_of(std::string_view value, const SetCookieSettings& settings) noexcept {
  return settings.name.text == "*" || split(take_part(value)).name == settings.name.text;
}

std::optional<std::size_t> write_set_cookie(std::span<char> out, std::string_view value,
                                            const SetCookieSettings& settings) noexcept {
  Writer writer(out);
  writer.put(take_part(value));
  while (!value.empty()) {
    const std::string_view part = take_part(value);
    const Pair attribute = split(part);
    if (part.empty() || is_replaced(attribute.name, settings)) continue;
    writer.put("; ");
    const bool has_path = settings.path && equals_ignoring_case(attribute.name, "path") &&
                          begins(attribute.value, settings.path->from.text);
    if (has_path) {
      writer.put("Path=");
      put_path(writer, attribute.value, *settings.path);
    } else {
      writer.put(part);
    }
  }
  if (settings.domain) {
    writer.put("; Domain=");
    writer.put(settings.domain->text);
  }
  if (settings.same_site) {
    writer.put("; SameSite=");
    writer.put(text_of(*settings.same_site));
  }
  if (settings.http_only.value_or(false)) writer.put("; HttpOnly");
  if (settings.secure.value_or(false)) writer.put("; Secure");
  return writer.bytes();
}

}  // namespace weir::filter
