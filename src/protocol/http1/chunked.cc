#include "protocol/http1/chunked.h"

#include <algorithm>

#include "protocol/http/characters.h"

namespace weir::http1 {
namespace {

using http::CharacterClass;

constexpr Rule kBadExtension = Rule::chunk_extension_invalid;

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
    case State::extension_start:
    case State::name:
    case State::name_space:
    case State::value_start:
    case State::token:
    case State::quoted:
    case State::escaped:
    case State::quoted_end:
    case State::value_space:
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
  if (c == ';') return enter(State::extension_start);
  if (is_white_space(c)) return enter(State::size_space);
  return expect(c, '\r', State::size_lf, Rule::chunk_size_invalid);
}

// *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112 7.1.1. Nobody reads
// what they say, but two readers who see their end in different places see two different bodies.
Rule ChunkedDecoder::step_extension(char c) noexcept {
  if (++line_bytes_ > kChunkExtensionBytesMax || ++extension_bytes_ > kExtensionBytesMax) {
    return Rule::chunk_extension_too_long;
  }
  const bool is_token = is_in(CharacterClass::token, c);
  switch (state_) {
    case State::size_space:
      if (is_white_space(c)) return Rule::none;
      return expect(c, ';', State::extension_start, Rule::chunk_size_invalid);
    case State::extension_start:
      return is_white_space(c) ? Rule::none : is_token ? enter(State::name) : kBadExtension;
    case State::name:
      return is_token ? Rule::none : end_extension_part(c, State::name_space);
    case State::value_start:
      if (is_white_space(c)) return Rule::none;
      return c == '"' ? enter(State::quoted) : is_token ? enter(State::token) : kBadExtension;
    case State::token:
      return is_token ? Rule::none : end_extension_part(c, State::value_space);
    case State::quoted:
      if (c == '"') return enter(State::quoted_end);
      if (!is_in(CharacterClass::value, c)) return kBadExtension;
      return enter(c == '\\' ? State::escaped : State::quoted);
    case State::escaped:
      return is_in(CharacterClass::value, c) ? enter(State::quoted) : kBadExtension;
    case State::name_space:
      return end_extension_part(c, State::name_space);
    default:
      return end_extension_part(c, State::value_space);
  }
}

// `space` is the state of white space behind the part, which may not stand at the end of the line.
Rule ChunkedDecoder::end_extension_part(char c, State space) noexcept {
  if (is_white_space(c)) return enter(space);
  if (c == ';') return enter(State::extension_start);
  if (c == '=') return space == State::name_space ? enter(State::value_start) : kBadExtension;
  return c == '\r' && state_ != space ? enter(State::size_lf) : kBadExtension;
}

Rule ChunkedDecoder::enter(State next) noexcept {
  state_ = next;
  return Rule::none;
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
