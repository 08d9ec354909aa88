#include "base/error.h"

#include <cctype>
#include <gtest/gtest.h>
#include <set>

namespace weir {
namespace {

template <class Visitor>
void for_each_kind(Visitor&& visit) {
  for (std::uint16_t i = 0; i < static_cast<std::uint16_t>(ErrorKind::count_); ++i) {
    visit(row_of(static_cast<ErrorKind>(i)));
  }
}

TEST(ErrorTable, WordsAreUniqueAndInSnakeCase) {
  std::set<std::string_view> words;
  for_each_kind([&](const ErrorKindRow& row) {
    EXPECT_TRUE(words.insert(row.word).second) << row.word;
    if (row.kind == ErrorKind::none) return;
    EXPECT_TRUE(std::islower(row.word.front()) && std::islower(row.word.back())) << row.word;
    for (const char c : row.word) EXPECT_TRUE(std::islower(c) || c == '_') << row.word;
    EXPECT_EQ(row.word.find("__"), std::string_view::npos) << row.word;
  });
}

TEST(ErrorTable, SentencesAreOneSentence) {
  for_each_kind([](const ErrorKindRow& row) {
    EXPECT_TRUE(std::isupper(row.sentence.front())) << row.word;
    EXPECT_EQ(row.sentence.back(), '.') << row.word;
    EXPECT_EQ(row.sentence.find(". "), std::string_view::npos) << row.word;
  });
}

TEST(ErrorTable, StatusesAreErrorsOfTheirProtocols) {
  for_each_kind([](const ErrorKindRow& row) {
    EXPECT_TRUE(row.http_status == 0 || (row.http_status >= 400 && row.http_status <= 599))
        << row.word;
    EXPECT_LE(row.grpc_status, 16) << row.word;
  });
}

// What the client did wrong stays wrong at every other server.
TEST(ErrorTable, NoFaultOfTheClientIsRetried) {
  for_each_kind([](const ErrorKindRow& row) {
    if (row.http_status >= 400 && row.http_status < 500) {
      EXPECT_EQ(row.retryable, Retryable::no) << row.word;
    }
  });
}

TEST(Error, CarriesKindSideAndErrno) {
  const Error error = make_error(ErrorKind::io, Side::server, 5);
  EXPECT_EQ(error.kind, ErrorKind::io);
  EXPECT_EQ(error.side, Side::server);
  EXPECT_EQ(error.os_error, 5);
  EXPECT_EQ(error.detail, 0);
  EXPECT_NE(error, make_error(ErrorKind::io, Side::client, 5));
}

}  // namespace
}  // namespace weir
