#pragma once
// A second reading of HTTP/1 (RFC 9112, RFC 9110, RFC 3986), for fuzzers to hold the product's
// parser against. Slow and obvious: strings are copied, a head is read line by line and a body
// byte by byte, in the order of the grammar. It shares no code with src/, on purpose.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::plain {

enum class Verdict : std::uint8_t { incomplete, accepted, refused };

struct Limits {
  std::size_t head_bytes;
  std::size_t fields;
};

struct Field {
  std::string name;
  std::string value;
  bool passes_on = true;  // to the next hop, as it is
};

enum class Framing : std::uint8_t { none, length, chunked, until_close };

struct Head {
  Verdict verdict = Verdict::incomplete;
  int refusal = 0;        // the status of the answer that says so: 502 of all responses
  std::size_t bytes = 0;  // when accepted
  int minor_version = 0;
  bool persists = false;
  Framing framing = Framing::none;
  std::uint64_t length = 0;
  std::vector<Field> fields;
  // Of a request.
  std::string method;
  std::string target;
  std::string authority;
  std::string path;
  std::optional<std::string> query;
  // Of a response.
  int status = 0;
  std::string reason;
};

Head read_request(std::string_view bytes, const Limits& limits);

// `method` is that of the request which the response answers.
Head read_response(std::string_view bytes, const Limits& limits, std::string_view method);

struct Body {
  Verdict verdict = Verdict::incomplete;
  std::size_t bytes = 0;  // when accepted
  std::string data;       // as far as it was read
  std::string trailers;   // lines with their ends, and the empty one
};

// A body in chunks.
Body read_chunks(std::string_view bytes);

}  // namespace weir::plain
