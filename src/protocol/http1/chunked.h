#pragma once
// Reads bodies in chunks (RFC 9112 7.1), strictly: a decoder that forgives is how smuggling starts.
// Chunk extensions are checked and dropped (RFC 9112 7.1.1); trailer lines are checked and given.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/error.h"
#include "protocol/http1/rule.h"

namespace weir::http1 {

inline constexpr std::uint32_t kChunkExtensionBytesMax = 1024;  // of one chunk
inline constexpr std::uint32_t kExtensionBytesMax = 64 * 1024;  // of all chunks of a body
inline constexpr std::uint32_t kTrailerBytesMax = 8 * 1024;     // of all trailer lines

enum class ChunkedStatus : std::uint8_t {
  more,    // all bytes are consumed; the body goes on
  data,    // `data` is part of the body; feed what is left
  end,     // the body is complete; what is left belongs to the next message
  failed,  // for good
};

struct ChunkedResult {
  ChunkedStatus status = ChunkedStatus::more;
  std::size_t consumed = 0;  // of the bytes fed, `data` included
  std::string_view data;     // a view of the bytes fed
  // The part of the bytes consumed that is of the trailer section (RFC 9112 7.1.2): its lines, and
  // the empty one at its end. Comes in as many pieces as it is fed in.
  std::string_view trailers;
  Error error;  // bad_request_body; a reader of responses says bad_response_body
};

// One body, fed in any pieces. Once it ended or failed, nothing more is consumed.
class ChunkedDecoder {
 public:
  ChunkedResult feed(std::string_view in WEIR_LIFETIMEBOUND) noexcept;

 private:
  enum class State : std::uint8_t {
    size,
    size_space,
    extension_start,
    name,
    name_space,
    value_start,
    token,
    quoted,
    escaped,
    quoted_end,
    value_space,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
    end,
    failed,
  };

  Rule step(char c) noexcept;
  Rule step_size(char c) noexcept;
  Rule step_extension(char c) noexcept;
  Rule end_extension_part(char c, State space) noexcept;
  Rule enter(State next) noexcept;
  Rule step_trailer(char c) noexcept;
  Rule expect(char c, char wanted, State next, Rule otherwise) noexcept;

  std::uint64_t remaining_ = 0;  // of the chunk's data; while its size is read, what that is so far
  std::uint32_t line_bytes_ = 0;       // of this chunk's extensions, or of all trailer lines
  std::uint32_t extension_bytes_ = 0;  // of all chunks
  std::uint8_t digits_ = 0;
  State state_ = State::size;
  Rule broken_ = Rule::none;
};

}  // namespace weir::http1
