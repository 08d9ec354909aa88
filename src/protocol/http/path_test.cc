#include "protocol/http/path.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/random.h"

namespace weir::http {
namespace {

// nullopt as text; a result is copied, for its buffer is gone.
std::string normalized(std::string_view raw) {
  std::vector<char> out(raw.size());
  const auto path = normalize_path(raw, out);
  return path ? std::string(*path) : "(refused)";
}

TEST(NormalizePath, GivesWhatRoutesMatch) {
  struct {
    std::string_view raw, path;
  } const cases[] = {
      {"/", "/"},
      {"*", "*"},
      {"/users/1", "/users/1"},
      {"/%75sers", "/users"},
      {"/a%2Fb", "/a/b"},
      {"/a%2f%2e%2E%2fb", "/b"},
      {"/%2541", "/%41"},
      {"/%C3%BC", "/\xc3\xbc"},
      {"//", "/"},
      {"//a///b//", "/a/b/"},
      {"/a/./b", "/a/b"},
      {"/a/../b", "/b"},
      {"/a/b/..", "/a/"},
      {"/a/b/../", "/a/"},
      {"/a/.", "/a/"},
      {"/.", "/"},
      {"/a/..", "/"},
      {"/a//../b", "/b"},
      {"/a/b/c/./../../g", "/a/g"},
      {"/.well-known/x", "/.well-known/x"},
      {"/...", "/..."},
      {"/..a/.b./c..", "/..a/.b./c.."},
  };
  for (const auto& test : cases) EXPECT_EQ(normalized(test.raw), test.path) << test.raw;
}

TEST(NormalizePath, RefusesWhatNoServerCouldMean) {
  for (const std::string_view raw :
       {"", "a", "?", "/%", "/%4", "/%4g", "/%g4", "/%00", "/..", "/../a", "/a/../..", "/a/../../b",
        "/%2e%2e", "/./..", "//..", "**", "/a/%2e./%2e%2e/b"}) {
    EXPECT_EQ(normalized(raw), "(refused)") << raw;
  }
}

TEST(NormalizePath, IsTheRawPathItselfWhereNothingChanges) {
  for (const std::string_view raw :
       {"/", "*", "/users/1", "/.well-known/x", "/a/...", "/a.b/c.."}) {
    std::vector<char> out(raw.size());
    EXPECT_EQ(normalize_path(raw, out)->data(), raw.data()) << raw;
  }
}

// The result again: a path of whole segments, none empty (but the last), none of dots. Escapes are
// decoded once, so only a result without '%' is its own normal form.
TEST(NormalizePath, IsCanonicalAndNeverLonger) {
  constexpr std::string_view kPieces[] = {"/",   "/",   ".",   "..", "a",
                                          "%2e", "%2F", "%61", "b.", "%25"};
  Random random(1);
  int accepted = 0;
  for (int run = 0; run < 20'000; ++run) {
    std::string raw = "/";
    for (std::uint32_t left = random.below(10); left != 0; --left) {
      raw += kPieces[random.below(std::size(kPieces))];
    }
    const std::string path = normalized(raw);
    if (path == "(refused)") continue;
    ++accepted;
    ASSERT_LE(path.size(), raw.size()) << raw;
    ASSERT_TRUE(path.starts_with('/')) << raw;
    const std::string slashed = path + '/';
    ASSERT_EQ(path.find("//"), std::string::npos) << raw;
    ASSERT_EQ(slashed.find("/./"), std::string::npos) << raw;
    ASSERT_EQ(slashed.find("/../"), std::string::npos) << raw;
    if (path.find('%') == std::string::npos) {
      ASSERT_EQ(normalized(path), path) << raw;
    }
  }
  EXPECT_GT(accepted, 5'000);
}

}  // namespace
}  // namespace weir::http
