#pragma once
// Errors are values. An Error says what went wrong (kind), on which side, and the errno behind it.
// Everything that depends on the kind (HTTP status, log word, sentence, counter, whether a retry
// may help) is one row of one table, kErrorKinds in error.cc.

#include <cstdint>
#include <string_view>

namespace weir {

enum class ErrorKind : std::uint16_t {
  none,
  // What the client did.
  bad_request,
  head_too_large,
  too_many_fields,
  uri_too_long,
  http_version_unsupported,
  transfer_encoding_unsupported,
  method_refused,
  bad_request_body,
  body_too_large,
  client_head_timeout,
  client_body_timeout,
  client_write_timeout,
  client_idle_timeout,
  client_closed,
  client_reset,
  bad_proxy_header,
  too_many_connections,
  // Where the request should go.
  no_route,
  misdirected_request,
  loop_detected,
  no_server,
  queue_full,
  queue_timeout,
  // What the server did.
  connect_refused,
  connect_timeout,
  connect_failed,
  source_address_unavailable,
  server_write_timeout,
  response_head_timeout,
  response_body_timeout,
  server_closed,
  server_reset,
  bad_response,
  response_head_too_large,
  interim_responses_too_many,
  bad_response_body,
  tunnel_idle_timeout,
  server_drained,
  request_timeout,
  // What Weir ran out of or decided.
  descriptors_exhausted,
  buffers_exhausted,
  body_storage,
  connections_exhausted,
  shutting_down,
  canceled,
  timeout,
  io,
  count_,
};

enum class Side : std::uint8_t { none, client, server, weir };

enum class Retryable : std::uint8_t { no, yes };

// One row for each kind. Text lives for ever.
struct ErrorKindRow {
  ErrorKind kind;
  std::uint16_t http_status;  // 0: no answer can be sent or none is due
  std::uint8_t grpc_status;   // RFC-less: the gRPC status codes, 0 to 16
  Retryable retryable;        // another attempt may help, if the request may be replayed
  std::string_view word;      // in logs and in the `reason` label of metrics
  std::string_view sentence;  // for a person; the error page and the log
};

const ErrorKindRow& row_of(ErrorKind kind) noexcept;

// 8 bytes, trivial: it travels in registers and may live in a coroutine frame.
struct Error {
  ErrorKind kind = ErrorKind::none;
  Side side = Side::none;
  std::uint8_t detail = 0;    // belongs to the kind: which rule of a parser was broken, 0 if none
  std::int32_t os_error = 0;  // errno, 0 if none

  friend bool operator==(const Error&, const Error&) = default;
};
static_assert(sizeof(Error) == 8);

inline Error make_error(ErrorKind kind, Side side = Side::none,
                        std::int32_t os_error = 0) noexcept {
  Error error;
  error.kind = kind;
  error.side = side;
  error.os_error = os_error;
  return error;
}

}  // namespace weir
