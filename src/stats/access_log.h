#pragma once
// The access log. At the end of an exchange or a tunnel the worker encodes one record into its
// LogRing; the log thread decodes and formats it. Nothing that a client or server sends can make a
// second line of one record, or a field of another.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace weir::stats {

enum class AccessKind : std::uint8_t { http, tcp };

enum class Reused : std::uint8_t { no, yes };

// A moment that an exchange did not come to.
inline constexpr Duration kNotReached{-1};

// Empty text and kNotReached are written as `-`, in JSON as null.
struct AccessRecord {
  AccessKind kind = AccessKind::http;
  Reused reused = Reused::no;  // the attempt went over a connection that was open already
  std::uint16_t status = 0;    // sent to the client; 0: none, as always for tcp
  std::uint16_t attempts = 0;
  Error reason;                         // why the exchange or tunnel failed; kind none: it did not
  WallTime time;                        // of its end
  Duration request_time{};              // first byte of the request (tcp: accept) to the end
  Duration connect_time = kNotReached;  // to connect to the server; 0 if reused
  Duration header_time = kNotReached;   // start of the attempt to the response head (tcp: a byte)
  std::uint64_t bytes_received = 0;     // from the client; of an http body
  std::uint64_t bytes_sent = 0;         // to the client; of an http body
  std::string_view listener;
  std::string_view client_address;  // without port
  std::string_view method;          // this and the next three as received
  std::string_view target;
  std::string_view protocol;  // "HTTP/1.1"
  std::string_view host;
  std::string_view referer;
  std::string_view user_agent;
  std::string_view backend;
  std::string_view server;
  std::string_view sentence;  // what happened, where that is known better than from the reason
};

inline constexpr std::size_t kAccessTargetBytesMax = 2048;
inline constexpr std::size_t kAccessSentenceBytesMax = 512;
inline constexpr std::size_t kAccessTextBytesMax = 256;  // of every other text

// Room in which any record fits once its texts are cut to these lengths.
inline constexpr std::size_t kAccessRecordBytesMax =
    128 + kAccessTargetBytesMax + kAccessSentenceBytesMax + 9 * kAccessTextBytesMax;

// Worker: writes the record into at least kAccessRecordBytesMax bytes, cutting texts that are too
// long, and returns how many it used.
std::size_t encode(const AccessRecord& record, std::span<char> out) noexcept;

// Log thread: the record in bytes that encode() wrote; its texts point into them.
AccessRecord decode(std::span<const char> bytes) noexcept;

// Log thread: appends one line, with its line feed. `combined` is that of nginx and Apache, in
// local time and with nginx's escapes, followed by name=value pairs; of a tcp record the request is
// "TCP listener".
void format_combined(const AccessRecord& record, std::string& out);
// Likewise; one JSON object with the same names. Times of day in UTC, durations in seconds.
void format_json(const AccessRecord& record, std::string& out);

}  // namespace weir::stats
