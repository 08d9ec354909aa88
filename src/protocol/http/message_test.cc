#include "protocol/http/message.h"

#include <gtest/gtest.h>
#include <string>
#include <utility>

#include "protocol/http/characters.h"

namespace weir::http {
namespace {

constexpr std::pair<std::string_view, FieldId> kFieldNames[] = {
    {"connection", FieldId::connection},
    {"content-length", FieldId::content_length},
    {"content-type", FieldId::content_type},
    {"cookie", FieldId::cookie},
    {"date", FieldId::date},
    {"expect", FieldId::expect},
    {"forwarded", FieldId::forwarded},
    {"host", FieldId::host},
    {"keep-alive", FieldId::keep_alive},
    {"max-forwards", FieldId::max_forwards},
    {"proxy-connection", FieldId::proxy_connection},
    {"referer", FieldId::referer},
    {"server", FieldId::server},
    {"te", FieldId::te},
    {"trailer", FieldId::trailer},
    {"transfer-encoding", FieldId::transfer_encoding},
    {"upgrade", FieldId::upgrade},
    {"user-agent", FieldId::user_agent},
    {"via", FieldId::via},
    {"x-forwarded-for", FieldId::x_forwarded_for},
    {"x-forwarded-host", FieldId::x_forwarded_host},
    {"x-forwarded-port", FieldId::x_forwarded_port},
    {"x-forwarded-proto", FieldId::x_forwarded_proto},
    {"x-real-ip", FieldId::x_real_ip},
};

TEST(FieldId, IsFoundInAnyCase) {
  for (const auto& [name, id] : kFieldNames) {
    EXPECT_EQ(find_field_id(name), id) << name;
    std::string capitals(name);
    for (char& c : capitals) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(find_field_id(capitals), id) << name;
  }
}

// What equals the names without case has to be found, and nothing else: all names with any one byte
// replaced by any other.
TEST(FieldId, AgreesWithComparingTheNames) {
  for (const auto& [name, id] : kFieldNames) {
    for (std::size_t at = 0; at < name.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string changed(name);
        changed[at] = static_cast<char>(byte);
        FieldId expected = FieldId::other;
        for (const auto& [other_name, other_id] : kFieldNames) {
          if (equals_ignoring_case(changed, other_name)) expected = other_id;
        }
        ASSERT_EQ(find_field_id(changed), expected) << changed;
      }
    }
    EXPECT_EQ(find_field_id(name.substr(1)), FieldId::other);
  }
  EXPECT_EQ(find_field_id(""), FieldId::other);
}

TEST(Method, IsFoundByItsExactName) {
  EXPECT_EQ(find_method("GET"), Method::get);
  EXPECT_EQ(find_method("HEAD"), Method::head);
  EXPECT_EQ(find_method("POST"), Method::post);
  EXPECT_EQ(find_method("PUT"), Method::put);
  EXPECT_EQ(find_method("DELETE"), Method::delete_);
  EXPECT_EQ(find_method("CONNECT"), Method::connect);
  EXPECT_EQ(find_method("OPTIONS"), Method::options);
  EXPECT_EQ(find_method("TRACE"), Method::trace);
  EXPECT_EQ(find_method("PATCH"), Method::patch);
  for (const std::string_view other : {"", "get", "Get", "GETS", "PROPFIND", "OPTION", "POSTS"}) {
    EXPECT_EQ(find_method(other), Method::other) << other;
  }
}

TEST(ReasonPhrase, IsThatOfTheRegistryOrEmpty) {
  EXPECT_EQ(reason_phrase(100), "Continue");
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(511), "Network Authentication Required");
  for (const std::uint16_t status : {0, 99, 104, 306, 418, 512, 999}) {
    EXPECT_EQ(reason_phrase(status), "") << status;
  }
}

TEST(EqualsIgnoringCase, FoldsOnlyAsciiLetters) {
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_TRUE(equals_ignoring_case("aZ-9", "Az-9"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
  EXPECT_FALSE(equals_ignoring_case("-", "\r"));
  EXPECT_FALSE(equals_ignoring_case("\xc4", "\xe4"));
}

TEST(Characters, AreThoseOfTheGrammar) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool is_visible = byte > 0x20 && byte < 0x7f;
    const bool is_delimiter =
        is_visible && std::string_view("\"(),/:;<=>?@[\\]{}").find(c) != std::string_view::npos;
    EXPECT_EQ(is_in(CharacterClass::token, c), is_visible && !is_delimiter) << byte;
    EXPECT_EQ(is_in(CharacterClass::value, c), is_visible || c == ' ' || c == '\t' || byte >= 0x80)
        << byte;
    EXPECT_EQ(is_in(CharacterClass::target, c), is_visible && c != '#') << byte;
  }
  EXPECT_EQ(hex_value('0'), 0);
  EXPECT_EQ(hex_value('f'), 15);
  EXPECT_EQ(hex_value('A'), 10);
  EXPECT_EQ(hex_value('g'), -1);
}

}  // namespace
}  // namespace weir::http
