#include "protocol/http1/chunked.h"

#include <algorithm>

#include "protocol/http/characters.h"

namespace weir::http1 {
namespace {

using http::CharacterClass;

constexpr bool is_white_space(char c) noexcept { return c == ' ' || c == '\t'; }

// The rule that a byte breaks which is no character of a trailer line's part.
constexpr Rule broken_trailer_rule(char c, Rule otherwise) noexcept {
  return c == '\n' ? Rule::bare_lf : otherwise;
}

}  // namespace

ChunkedResult ChunkedDecoder::feed(std::string_view in) noexcept {
  std::size_t at = 0;
  std::size_t trailers_at = state_ >= State::trailer_start ? 0 : in.size();
  while (at < in.size() && state_ < State::end) {
    if (state_ == State::data) {
      const std::string_view data = in.substr(at, remaining_);
      remaining_ -= data.size();
      if (remaining_ == 0) state_ = State::data_cr;
      return {ChunkedStatus::data, at + data.size(), data, {}, {}};
    }
    broken_ = step(in[at]);
    if (broken_ != Rule::none) state_ = State::failed;
    ++at;
    if (state_ == State::trailer_start) trailers_at = std::min(trailers_at, at);
  }
  const std::string_view trailers =
      in.substr(std::min(trailers_at, at), at - std::min(trailers_at, at));
  if (state_ == State::end) return {ChunkedStatus::end, at, {}, trailers, {}};
  if (state_ != State::failed) return {ChunkedStatus::more, at, {}, trailers, {}};
  Error error = make_error(ErrorKind::bad_request_body);
  error.detail = static_cast<std::uint8_t>(broken_);
  return {ChunkedStatus::failed, at, {}, {}, error};
}

Rule ChunkedDecoder::step(char c) noexcept {
  switch (state_) {
    case State::size:
      return step_size(c);
    case State::size_space:
    case State::extension:
      return step_extension(c);
    case State::size_lf:
      line_bytes_ = 0;
      return expect(c, '\n', remaining_ == 0 ? State::trailer_start : State::data,
                    Rule::chunk_size_invalid);
    case State::data_cr:
      return expect(c, '\r', State::data_lf, Rule::chunk_end_missing);
    case State::data_lf:
      digits_ = 0;
      return expect(c, '\n', State::size, Rule::chunk_end_missing);
    case State::trailer_start:
    case State::trailer_name:
    case State::trailer_value:
      return step_trailer(c);
    case State::trailer_lf:
      return expect(c, '\n', State::trailer_start, Rule::bare_cr);
    case State::end_lf:
      return expect(c, '\n', State::end, Rule::bare_cr);
    case State::data:
    case State::end:
    case State::failed:
      break;
  }
  WEIR_ASSERT(false);
  return Rule::chunk_size_invalid;
}

Rule ChunkedDecoder::expect(char c, char wanted, State next, Rule otherwise) noexcept {
  if (c != wanted) return otherwise;
  state_ = next;
  return Rule::none;
}

Rule ChunkedDecoder::step_size(char c) noexcept {
  constexpr std::uint8_t kDigitsMax = 16;  // as many as 64 bits have
  const int digit = http::hex_value(c);
  if (digit >= 0) {
    if (digits_ == kDigitsMax) return Rule::chunk_size_too_large;
    ++digits_;
    remaining_ = remaining_ << 4 | static_cast<unsigned>(digit);
    return Rule::none;
  }
  if (digits_ == 0) return Rule::chunk_size_invalid;
  if (c == ';') return expect(c, ';', State::extension, Rule::none);
  if (is_white_space(c)) return expect(c, c, State::size_space, Rule::none);
  return expect(c, '\r', State::size_lf, Rule::chunk_size_invalid);
}

// White space may come before an extension (RFC 9112 7.1.1), but not instead of one.
Rule ChunkedDecoder::step_extension(char c) noexcept {
  if (++line_bytes_ > kChunkExtensionBytesMax || ++extension_bytes_ > kExtensionBytesMax) {
    return Rule::chunk_extension_too_long;
  }
  if (state_ == State::size_space) {
    if (is_white_space(c)) return Rule::none;
    return expect(c, ';', State::extension, Rule::chunk_size_invalid);
  }
  if (is_in(CharacterClass::value, c)) return Rule::none;
  return expect(c, '\r', State::size_lf, Rule::chunk_extension_invalid);
}

Rule ChunkedDecoder::step_trailer(char c) noexcept {
  if (++line_bytes_ > kTrailerBytesMax) return Rule::trailers_too_large;
  if (state_ == State::trailer_value) {
    if (is_in(CharacterClass::value, c)) return Rule::none;
    return expect(c, '\r', State::trailer_lf, broken_trailer_rule(c, Rule::field_value_invalid));
  }
  if (is_in(CharacterClass::token, c)) {
    state_ = State::trailer_name;
    return Rule::none;
  }
  const Rule otherwise = broken_trailer_rule(c, Rule::field_name_invalid);
  if (state_ == State::trailer_start) {
    if (is_white_space(c)) return Rule::line_folded;
    if (c == ':') return Rule::field_name_empty;
    return expect(c, '\r', State::end_lf, otherwise);
  }
  if (is_white_space(c)) return Rule::field_name_space;
  return expect(c, ':', State::trailer_value, otherwise);
}

}  // namespace weir::http1
