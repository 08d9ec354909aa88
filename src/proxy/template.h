#pragma once
// Template: text of a configuration with values of an exchange in it, `${client.address}`; `$$` is
// a dollar. Compiled when the configuration is read; writing one allocates nothing.
//
// What a client or server sends cannot end the line that it becomes part of. In a header field its
// control bytes become spaces (RFC 9110 5.5); in a log line they, quotes, backslashes and what is
// not ASCII become \xHH, and no text at all becomes `-`.

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/assert.h"
#include "config/scalars.h"
#include "proxy/value.h"

namespace weir::proxy {

class Template {
 public:
  // Empty text.
  Template() = default;

  // For use from `at` on. The error says what is wrong, where, or which value was meant; it may
  // follow "found '...': ".
  static std::expected<Template, std::string> parse(std::string_view text, Known at);

  // As it was written.
  const std::string& text() const noexcept WEIR_LIFETIMEBOUND { return text_; }
  // The text to use if there is no value in it, which then is the same for every exchange.
  std::optional<std::string_view> constant() const noexcept WEIR_LIFETIMEBOUND;
  // Names of the fields that it takes from the response, each once.
  std::span<const std::string> response_fields() const noexcept WEIR_LIFETIMEBOUND {
    return response_fields_;
  }

  // For a header field: how many bytes of `out` it took. nullopt: it does not fit; what is in `out`
  // then means nothing. Worker.
  std::optional<std::size_t> write(const ValueSource& source, std::span<char> out) const noexcept;

  // For what things are told apart by: as write(), but also nullopt if it names values and none of
  // them is there.
  std::optional<std::size_t> write_key(const ValueSource& source,
                                       std::span<char> out) const noexcept;
  // The name of a value in it that only requests have, not tunnels; empty: there is none.
  std::string_view first_of_request() const noexcept WEIR_LIFETIMEBOUND;

  // For a log, without line feed. What does not fit is cut, and the line then ends with kCutMark;
  // `out` has room for that. Worker.
  struct Line {
    std::size_t bytes;
    bool is_cut;
  };
  static constexpr std::string_view kCutMark = "...";
  Line write_line(const ValueSource& source, std::span<char> out) const noexcept;

 private:
  // Text as it is, or a value.
  struct Piece {
    const ValueRow* row = nullptr;
    std::string text;  // the text, or what stands for NAME
  };
  struct Written {
    std::size_t bytes = 0;
    std::size_t value_bytes = 0;  // of those, that are values
  };
  std::optional<Written> write_pieces(const ValueSource& source,
                                      std::span<char> out) const noexcept;
  void add_text(std::string_view text);
  std::expected<void, std::string> add_value(std::string_view name, Known at);

  std::string text_;
  std::vector<Piece> pieces_;
  std::vector<std::string> response_fields_;
};

// Settings of what is done with a request, and with a response.
struct RequestTemplate : Template {};
struct ResponseTemplate : Template {};

// For the configuration reader (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, RequestTemplate& out);
std::expected<void, std::string> parse_scalar(std::string_view text, ResponseTemplate& out);
std::string print_scalar(const Template& value);
inline constexpr config::ScalarInfo kTemplateInfo = {"text with values", "'from ${client.address}'",
                                                     R"("type": ["string", "number", "boolean"])",
                                                     config::Quotes::allowed};
constexpr config::ScalarInfo scalar_info(std::type_identity<RequestTemplate>) {
  return kTemplateInfo;
}
constexpr config::ScalarInfo scalar_info(std::type_identity<ResponseTemplate>) {
  return kTemplateInfo;
}

}  // namespace weir::proxy
