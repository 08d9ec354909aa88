#include "protocol/http/date.h"

#include <chrono>

namespace weir::http {
namespace {

constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

char* put_text(char* at, std::string_view text) noexcept {
  for (const char c : text) *at++ = c;
  return at;
}

char* put_digits(char* at, unsigned value, int digits) noexcept {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
  return at + digits;
}

}  // namespace

std::string_view write_date(WallTime time, std::span<char, kDateBytes> out) noexcept {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  char* at = put_text(out.data(), kDays.substr(std::chrono::weekday(day).c_encoding() * 3, 3));
  at = put_text(at, ", ");
  at = put_digits(at, static_cast<unsigned>(date.day()), 2);
  at = put_text(at, " ");
  at = put_text(at, kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3));
  at = put_text(at, " ");
  at = put_digits(at, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  at = put_text(at, " ");
  at = put_digits(at, static_cast<unsigned>(clock.hours().count()), 2);
  at = put_text(at, ":");
  at = put_digits(at, static_cast<unsigned>(clock.minutes().count()), 2);
  at = put_text(at, ":");
  at = put_digits(at, static_cast<unsigned>(clock.seconds().count()), 2);
  put_text(at, " GMT");
  return {out.data(), out.size()};
}

}  // namespace weir::http
