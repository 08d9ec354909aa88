#pragma once
// Reads the heads of HTTP/1 messages (RFC 9112, RFC 9110) strictly: what two readers could
// understand in two ways is refused, so that no message means one thing here and another at the
// server.
//
// Pure functions over contiguous bytes. While a head is incomplete, the caller comes back with more
// bytes, which may have moved, and says how many it has shown before: nothing but the first line's
// beginning is looked at again until the head is complete, so bytes that drip in cost linear time.
// Wherever the bytes are cut, the result is the same.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "protocol/http/message.h"
#include "protocol/http1/rule.h"

namespace weir::http1 {

// Empty lines that may come before a request (RFC 9112 2.2), of a client that ended a body with
// one.
inline constexpr std::size_t kEmptyLinesMax = 4;
inline constexpr std::size_t kMethodBytesMax = 32;
// Bounds what matching Connection with the fields can cost.
inline constexpr std::size_t kConnectionOptionsMax = 32;

enum class ParseStatus : std::uint8_t { incomplete, complete, failed };

struct HeadLimits {
  std::uint32_t head_bytes = 32 * 1024;  // from the first byte to the empty line, both included
  std::uint32_t fields = 128;            // or the capacity of head.fields, if that is less
};

struct ParseResult {
  ParseStatus status = ParseStatus::incomplete;
  std::size_t consumed = 0;  // bytes of the head, when complete; else 0
  Error error;               // when failed; its side is none, find_rule() tells the rule
};

// `scanned`: how many of these bytes the previous call for this head was given; 0 the first time.
// `head.fields` comes with its storage. The head is whole only when the status is complete: its
// views point into `bytes`, but for a path that an absolute-form target leaves out ("/", "*").
// CONNECT leaves path and query empty.
ParseResult parse_request_head(std::string_view bytes, std::size_t scanned,
                               const HeadLimits& limits, http::RequestHead& head) noexcept;

// The same for a response; `request_method` is that of the request it answers, since a response to
// HEAD has no body. Content-Length is hop_by_hop as framing, but end_to_end where it describes a
// body that is not sent: in answers to HEAD and in 304 (RFC 9110 8.6).
ParseResult parse_response_head(std::string_view bytes, std::size_t scanned,
                                http::Method request_method, const HeadLimits& limits,
                                http::ResponseHead& head) noexcept;

}  // namespace weir::http1
