#pragma once
// Writes the heads of HTTP/1.1 messages (RFC 9112) anew from what was understood of them: nothing
// that the parser did not read reaches the next hop, and framing, Host and Connection are always
// our own.
//
// Fields of scope hop_by_hop are left out, the others are written in order, as they are. So a
// caller adds a field of its own by adding an end_to_end one, even Connection and Upgrade. Names
// must be tokens and values free of control characters, as the parser leaves them.
//
// nullopt: the head does not fit in `out`; what is in there then means nothing.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "protocol/http/message.h"

namespace weir::http1 {

enum class ConnectionField : std::uint8_t { omit, close, keep_alive };

// The target is in origin-form (path and query), or "*"; for CONNECT it is the authority. Host is
// the authority, which HTTP/1.0 may lack: the caller names the server then. Framing none writes no
// length.
std::optional<std::size_t> write_request_head(std::span<char> out,
                                              const http::RequestHead& head) noexcept;

// Framing none and until_close write no length, so none is only right where a body cannot be: in
// answers to HEAD, and in 1xx, 204 and 304. Elsewhere an empty body is length 0. The Content-Length
// of an answer to HEAD or of a 304 is an end_to_end field (see parse_response_head) and stays.
std::optional<std::size_t> write_response_head(std::span<char> out, const http::ResponseHead& head,
                                               ConnectionField connection) noexcept;

// A chunk is its header, `bytes` bytes of data (more than 0) and kChunkEnd; a body ends with
// kLastChunk. Returns the length of the header.
inline constexpr std::size_t kChunkHeaderBytesMax = 20;
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
std::size_t write_chunk_header(std::span<char, kChunkHeaderBytesMax> out,
                               std::uint64_t bytes) noexcept;

// The last chunk with trailer fields behind it (RFC 9112 7.1.2), up to the end of the message.
// nullopt: it does not fit.
std::optional<std::size_t> write_trailers(std::span<char> out,
                                          const http::FieldList& fields) noexcept;

}  // namespace weir::http1
