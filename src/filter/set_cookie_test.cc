#include "filter/set_cookie.h"

#include <gtest/gtest.h>
#include <random>

namespace weir::filter {
namespace {

std::string edited(std::string_view value, const SetCookieSettings& settings) {
  std::string out(1000, '?');
  const auto bytes = write_set_cookie(out, value, settings);
  EXPECT_TRUE(bytes.has_value());
  out.resize(bytes.value_or(0));
  return out;
}

SetCookieSettings with_path(std::string_view from, std::string_view to) {
  SetCookieSettings settings;
  settings.path = {.from = {std::string(from)}, .to = {std::string(to)}};
  return settings;
}

TEST(SetCookie, ReplacesTheBeginningOfThePath) {
  const SetCookieSettings settings = with_path("/a", "/b");
  EXPECT_EQ(edited("k=v; Path=/a", settings), "k=v; Path=/b");
  EXPECT_EQ(edited("k=v; path = /a/c ;Secure", settings), "k=v; Path=/b/c; Secure");
  EXPECT_EQ(edited("k=v; Path=/ab", settings), "k=v; Path=/ab");
  EXPECT_EQ(edited("k=v; Path=/c/a", settings), "k=v; Path=/c/a");
  EXPECT_EQ(edited("k=/a", settings), "k=/a");
  EXPECT_EQ(edited("Path=/a; Path=/a", settings), "Path=/a; Path=/b");
  EXPECT_EQ(edited("k=v; Path=/x", with_path("/", "/app/")), "k=v; Path=/app/x");
  EXPECT_EQ(edited("k=v; Path=/x", with_path("/", "/app")), "k=v; Path=/app/x");
  EXPECT_EQ(edited("k=v; Path=/", with_path("/", "/app")), "k=v; Path=/app");
  EXPECT_EQ(edited("k=v; Path=/app/x", with_path("/app", "/")), "k=v; Path=/x");
  EXPECT_EQ(edited("k=v; Path=/app/", with_path("/app", "/")), "k=v; Path=/");
  EXPECT_EQ(edited("k=v; Path=/app", with_path("/app", "/")), "k=v; Path=/");
}

TEST(SetCookie, GivesAttributesThatItHasNot) {
  SetCookieSettings settings;
  settings.domain = {"example.com"};
  settings.same_site = SameSite::lax;
  settings.http_only = true;
  settings.secure = true;
  EXPECT_EQ(edited("k=v", settings), "k=v; Domain=example.com; SameSite=Lax; HttpOnly; Secure");
}

TEST(SetCookie, ReplacesAttributesThatItHas) {
  SetCookieSettings settings;
  settings.domain = {"new.example"};
  settings.same_site = SameSite::strict;
  settings.http_only = true;
  settings.secure = true;
  EXPECT_EQ(edited("k=v; DOMAIN=old; samesite=None; httpONLY=x;secure; SameSite=Lax; Max-Age=5",
                   settings),
            "k=v; Max-Age=5; Domain=new.example; SameSite=Strict; HttpOnly; Secure");
}

TEST(SetCookie, TakesFlagsAway) {
  SetCookieSettings settings;
  settings.http_only = false;
  settings.secure = false;
  EXPECT_EQ(edited("k=v; Secure; HttpOnly; Path=/", settings), "k=v; Path=/");
}

TEST(SetCookie, KeepsWhatItDoesNotKnow) {
  EXPECT_EQ(edited("k=\"a b\"; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Partitioned; x=y=z", {}),
            "k=\"a b\"; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Partitioned; x=y=z");
  EXPECT_EQ(edited("k=v;;  ; Secure;", {}), "k=v; Secure");
}

TEST(SetCookie, IsForOneNameOrForAll) {
  SetCookieSettings settings;
  EXPECT_TRUE(is_cookie_of("k=v", settings));
  settings.name = {"k"};
  EXPECT_TRUE(is_cookie_of(" k = v; Path=/", settings));
  EXPECT_FALSE(is_cookie_of("K=v", settings));
  EXPECT_FALSE(is_cookie_of("kk=v; k=v", settings));
}

// Whatever a server sends: what has been edited is not changed by the same edit again, and nothing
// is written beyond the room.
TEST(SetCookie, EditsOnceHoweverOftenItIsApplied) {
  SetCookieSettings settings = with_path("/a", "/b");
  settings.same_site = SameSite::none;
  settings.secure = true;
  std::mt19937 random(5);
  constexpr std::string_view kParts[] = {";",  " ",      "=",        "k", "Path", "/a",
                                         "/b", "Secure", "SAMESITE", "x", "\t",   "\""};
  for (int round = 0; round < 2000; ++round) {
    std::string value;
    for (auto i = random() % 12; i > 0; --i) value += kParts[random() % std::size(kParts)];
    const std::string once = edited(value, settings);
    EXPECT_EQ(edited(once, settings), once) << value;
    std::string out(once.size(), '\n');
    for (std::size_t room = 0; room < once.size(); ++room) {
      EXPECT_EQ(write_set_cookie(std::span(out).first(room), value, settings), std::nullopt);
      EXPECT_EQ(out.find_first_not_of('\n', room), std::string::npos);
    }
  }
}

TEST(SetCookie, HasTextThatStaysWithinAnAttribute) {
  CookieText text;
  EXPECT_TRUE(parse_scalar("/a b", text));
  for (const std::string_view bad : {"", "a;b", "a\r\nb", "\x7f"}) {
    EXPECT_FALSE(parse_scalar(bad, text)) << bad;
  }
}

}  // namespace
}  // namespace weir::filter
