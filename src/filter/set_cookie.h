#pragma once
// Changes of the attributes of Set-Cookie fields (RFC 6265 4.1 and 5.2).

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "config/description.h"

namespace weir::filter {

// A part of a cookie: neither empty nor with a control character or semicolon.
struct CookieText {
  std::string text;
};

// For the configuration reader (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, CookieText& out);
std::string print_scalar(const CookieText& value);
constexpr config::ScalarInfo scalar_info(std::type_identity<CookieText>) {
  return {"part of a cookie", "", R"("type": "string")", config::Quotes::allowed};
}

enum class SameSite : std::uint8_t { lax, strict, none };
constexpr auto names_of(SameSite) {
  return std::to_array<std::pair<std::string_view, SameSite>>(
      {{"lax", SameSite::lax}, {"strict", SameSite::strict}, {"none", SameSite::none}});
}

struct CookiePathSettings {
  CookieText from;
  CookieText to;
};

template <class V>
void describe(V& v, CookiePathSettings& s) {
  v.field("from", s.from, "First segments of the path that is replaced.").required();
  v.field("to", s.to, "What stands there instead.").required();
}

struct SetCookieSettings {
  CookieText name{"*"};
  std::optional<CookiePathSettings> path;
  std::optional<CookieText> domain;
  std::optional<SameSite> same_site;
  std::optional<bool> http_only;
  std::optional<bool> secure;
};

template <class V>
void describe(V& v, SetCookieSettings& s) {
  v.field("name", s.name, "Name of the cookie; `*`: all.");
  v.field("path", s.path, "Changes the beginning of Path, of cookies that have one.");
  v.field("domain", s.domain, "Domain that the cookie is to have.").length_max(253);
  v.field("same_site", s.same_site, "SameSite that the cookie is to have.");
  v.field("http_only", s.http_only, "Whether it has HttpOnly; without it, as the server says.");
  v.field("secure", s.secure, "Whether it has Secure; without it, as the server says.");
}

// The value of a Set-Cookie field with the attributes that it is to have: how many bytes of `out`
// it took. nullopt: it does not fit. Worker.
std::optional<std::size_t> write_set_cookie(std::span<char> out, std::string_view value,
                                            const SetCookieSettings& settings) noexcept;

// Whether the value of a Set-Cookie field is that of a cookie the settings are for.
bool is_cookie_of(std::string_view value, const SetCookieSettings& settings) noexcept;

}  // namespace weir::filter
