#include "protocol/http/date.h"

#include <array>
#include <gtest/gtest.h>
#include <string>

namespace weir::http {
namespace {

std::string date_at(std::int64_t seconds) {
  std::array<char, kDateBytes> out;
  return std::string(write_date(WallTime(std::chrono::seconds(seconds)), out));
}

TEST(Date, IsThatOfTheStandardsExample) {
  EXPECT_EQ(date_at(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(Date, KnowsLeapDaysAndTheEndsOfYears) {
  EXPECT_EQ(date_at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date_at(951'782'400), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(date_at(1'798'761'599), "Thu, 31 Dec 2026 23:59:59 GMT");
}

}  // namespace
}  // namespace weir::http
