#include "config/scalars.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <system_error>

#include "base/assert.h"

namespace weir::config {
namespace {

std::unexpected<std::string> not_that() { return std::unexpected(std::string()); }

template <class T>
Parsed parse_number(std::string_view text, T& out) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  if (error != std::errc() || stop != end) return not_that();
  return {};
}

template <class T>
Parsed parse_without_leading_zero(std::string_view text, T& out) {
  std::string_view digits = text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.size() > 1 && digits[0] == '0') return not_that();
  return parse_number(text, out);
}

// Splits the digits that `text` starts with from it.
Parsed take_number(std::string_view& text, std::uint64_t& out) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view number = text.substr(0, digits);
  text.remove_prefix(digits);
  return parse_number(number, out);
}

struct TimeUnit {
  std::string_view name;
  std::uint64_t nanoseconds;
};
constexpr TimeUnit kTimeUnits[] = {{"d", 86'400'000'000'000},
                                   {"h", 3'600'000'000'000},
                                   {"m", 60'000'000'000},
                                   {"s", 1'000'000'000},
                                   {"ms", 1'000'000},
                                   {"us", 1'000},
                                   {"ns", 1}};

struct SizeUnit {
  std::string_view name;
  std::string_view short_name;
  unsigned shift;
};
constexpr SizeUnit kSizeUnits[] = {
    {"GiB", "g", 30}, {"MiB", "m", 20}, {"KiB", "k", 10}, {"B", "", 0}};

bool equal_without_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

Parsed parse_whole(std::string_view text, std::int64_t& out) {
  return parse_without_leading_zero(text, out);
}

Parsed parse_whole(std::string_view text, std::uint64_t& out) {
  return parse_without_leading_zero(text, out);
}

Parsed parse_scalar(std::string_view text, bool& out) {
  if (text != "true" && text != "false") return not_that();
  out = text == "true";
  return {};
}

std::string print_scalar(bool value) { return value ? "true" : "false"; }

Parsed parse_scalar(std::string_view text, double& out) {
  double value = 0;
  if (!parse_number(text, value) || !std::isfinite(value)) return not_that();
  out = value;
  return {};
}

std::string print_scalar(double value) { return fmt::format("{}", value); }

Parsed parse_scalar(std::string_view text, std::string& out) {
  out = text;
  return {};
}

std::string print_scalar(const std::string& value) { return value; }

Parsed parse_scalar(std::string_view text, Duration& out) {
  if (text.empty()) return not_that();
  if (text == "0") {
    out = Duration::zero();
    return {};
  }
  std::int64_t total = 0;
  const TimeUnit* smallest = nullptr;
  while (!text.empty()) {
    std::uint64_t count = 0;
    if (!take_number(text, count)) return not_that();
    const std::string_view name = text.substr(0, text.find_first_of("0123456789"));
    const TimeUnit* unit = std::ranges::find(kTimeUnits, name, &TimeUnit::name);
    if (unit == std::end(kTimeUnits)) {
      if (name.empty()) return std::unexpected("the unit is missing");
      return not_that();
    }
    if (smallest != nullptr && unit <= smallest) {
      return std::unexpected("larger units come first, each once");
    }
    std::int64_t part = 0;
    if (__builtin_mul_overflow(count, unit->nanoseconds, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return std::unexpected("too long");
    }
    smallest = unit;
    text.remove_prefix(name.size());
  }
  out = Duration(total);
  return {};
}

std::string print_scalar(Duration value) {
  WEIR_ASSERT(value >= Duration::zero());
  auto rest = static_cast<std::uint64_t>(value.count());
  if (rest == 0) return "0s";
  std::string out;
  for (const TimeUnit& unit : kTimeUnits) {
    if (rest >= unit.nanoseconds) out += fmt::format("{}{}", rest / unit.nanoseconds, unit.name);
    rest %= unit.nanoseconds;
  }
  return out;
}

Parsed parse_scalar(std::string_view text, ByteCount& out) {
  std::uint64_t count = 0;
  if (!take_number(text, count)) return not_that();
  const auto* unit = std::ranges::find_if(kSizeUnits, [text](const SizeUnit& candidate) {
    return equal_without_case(text, candidate.name) ||
           equal_without_case(text, candidate.short_name);
  });
  if (unit == std::end(kSizeUnits)) return not_that();
  if (count > std::numeric_limits<std::uint64_t>::max() >> unit->shift) {
    return std::unexpected("too large");
  }
  out = ByteCount(count << unit->shift);
  return {};
}

std::string print_scalar(ByteCount value) {
  for (const SizeUnit& unit : kSizeUnits) {
    const std::uint64_t count = value.value >> unit.shift;
    if (count > 0 && count << unit.shift == value.value) {
      return fmt::format("{}{}", count, unit.name);
    }
  }
  return "0B";
}

}  // namespace weir::config
