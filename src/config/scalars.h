#pragma once
// The scalar types that a setting can have. Another folder adds one by three functions beside its
// type, found by argument-dependent lookup:
//
//   std::expected<void, std::string> parse_scalar(std::string_view text, Address& out);
//     // false: what is wrong, added to "expected an address such as ..., found '...'"; may be
//     empty
//   std::string print_scalar(const Address& value);            // parse_scalar reads it back
//   constexpr config::ScalarInfo scalar_info(std::type_identity<Address>);
//
// and, if its values have an order that .range() may use, long double measure_scalar(const
// Address&). An enum needs only its names, which need no header of config:
//
//   constexpr auto names_of(Balance) {
//     return std::to_array<std::pair<std::string_view, Balance>>({{"random", Balance::random},
//     ...});
//   }

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/byte_count.h"
#include "base/time.h"

namespace weir::config {

using Parsed = std::expected<void, std::string>;

// Whether a value may be written in quotes. What JSON writes without quotes may not.
enum class Quotes : std::uint8_t { allowed, refused };

struct ScalarInfo {
  std::string_view name;     // with its article: "a duration"
  std::string_view example;  // "5s"; may be empty
  std::string_view schema;   // members of a JSON Schema object: R"("type": "string")"
  Quotes quotes = Quotes::allowed;
};

template <class T>
concept WholeNumber = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

// Decimal digits with an optional minus; no plus, no leading zero (which would mean octal to some).
Parsed parse_whole(std::string_view text, std::int64_t& out);
Parsed parse_whole(std::string_view text, std::uint64_t& out);

template <WholeNumber T>
Parsed parse_scalar(std::string_view text, T& out) {
  std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t> wide = 0;
  const Parsed parsed = parse_whole(text, wide);
  if (!parsed || !std::in_range<T>(wide)) return std::unexpected(std::string());
  out = static_cast<T>(wide);
  return parsed;
}
template <WholeNumber T>
std::string print_scalar(T value) {
  return std::to_string(value);
}
template <WholeNumber T>
constexpr ScalarInfo scalar_info(std::type_identity<T>) {
  return {"a whole number", "", R"("type": "integer")", Quotes::refused};
}
// long double holds every 64-bit integer exactly on the machines Weir runs on.
template <WholeNumber T>
constexpr long double measure_scalar(T value) {
  static_assert(std::numeric_limits<long double>::digits >= 64);
  return static_cast<long double>(value);
}

// true or false, nothing else.
Parsed parse_scalar(std::string_view text, bool& out);
std::string print_scalar(bool value);
constexpr ScalarInfo scalar_info(std::type_identity<bool>) {
  return {"true or false", "", R"("type": "boolean")", Quotes::refused};
}

// A finite decimal number.
Parsed parse_scalar(std::string_view text, double& out);
std::string print_scalar(double value);
constexpr ScalarInfo scalar_info(std::type_identity<double>) {
  return {"a number", "0.5", R"("type": "number")", Quotes::refused};
}
constexpr long double measure_scalar(double value) { return value; }

// Any scalar, as it is written.
Parsed parse_scalar(std::string_view text, std::string& out);
std::string print_scalar(const std::string& value);
constexpr ScalarInfo scalar_info(std::type_identity<std::string>) {
  return {"a string", "", R"("type": ["string", "number", "boolean"])", Quotes::allowed};
}

// A sum of whole numbers of d, h, m, s, ms, us or ns, larger units first (1m30s), or 0.
Parsed parse_scalar(std::string_view text, Duration& out);
std::string print_scalar(Duration value);
constexpr ScalarInfo scalar_info(std::type_identity<Duration>) {
  return {"a duration", "5s",
          R"("type": ["string", "integer"], "pattern": "^(0|([0-9]+(d|h|m|s|ms|us|ns))+)$", )"
          R"("minimum": 0, "maximum": 0)",
          Quotes::allowed};
}
constexpr long double measure_scalar(Duration value) {
  return static_cast<long double>(value.count());
}

// A whole number of B, KiB, MiB or GiB, or of k, m or g, which mean the same; upper or lower case.
// A bare number is bytes.
Parsed parse_scalar(std::string_view text, ByteCount& out);
std::string print_scalar(ByteCount value);
constexpr ScalarInfo scalar_info(std::type_identity<ByteCount>) {
  return {"a size", "64KiB",
          R"("type": ["string", "integer"], "minimum": 0, )"
          R"("pattern": "^[0-9]+([bB]|[kKmMgG]([iI][bB])?)?$")",
          Quotes::allowed};
}
constexpr long double measure_scalar(ByteCount value) {
  return static_cast<long double>(value.value);
}

}  // namespace weir::config
