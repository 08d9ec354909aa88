#include "base/error.h"

#include <array>

#include "base/assert.h"

namespace weir {
namespace {

using enum ErrorKind;
constexpr auto kNo = Retryable::no;
constexpr auto kYes = Retryable::yes;

// docs/reference/errors.md is made from this table. The order is that of ErrorKind.
constexpr std::array kErrorKinds = {
    ErrorKindRow{none, 0, 0, kNo, "-", "No error."},
    ErrorKindRow{bad_request, 400, 3, kNo, "bad_request",
                 "The client's request breaks HTTP's rules."},
    ErrorKindRow{head_too_large, 431, 8, kNo, "head_too_large",
                 "The request's head is larger than limits.head_bytes."},
    ErrorKindRow{too_many_fields, 431, 8, kNo, "too_many_fields",
                 "The request has more header fields than limits.head_fields."},
    ErrorKindRow{uri_too_long, 414, 3, kNo, "uri_too_long",
                 "The request's target does not fit in limits.head_bytes."},
    ErrorKindRow{http_version_unsupported, 505, 12, kNo, "http_version_unsupported",
                 "The request's HTTP version is not 1.0 or 1.1."},
    ErrorKindRow{transfer_encoding_unsupported, 501, 12, kNo, "transfer_encoding_unsupported",
                 "The request's Transfer-Encoding is not exactly chunked."},
    ErrorKindRow{
        method_refused, 501, 12, kNo, "method_refused",
        "The request's method (CONNECT, TRACE, or longer than 32 characters) is not forwarded."},
    ErrorKindRow{bad_request_body, 400, 3, kNo, "bad_request_body",
                 "The request's chunked body breaks HTTP's rules."},
    ErrorKindRow{body_too_large, 413, 8, kNo, "body_too_large",
                 "The request's body is larger than limits.body_bytes or a filter allows."},
    ErrorKindRow{client_head_timeout, 408, 4, kNo, "client_head_timeout",
                 "The client did not send its whole head within timeouts.client_head."},
    ErrorKindRow{client_body_timeout, 408, 4, kNo, "client_body_timeout",
                 "The client sent nothing of its body for timeouts.client_body."},
    ErrorKindRow{client_write_timeout, 0, 4, kNo, "client_write_timeout",
                 "The client took nothing of the response for timeouts.client_body."},
    ErrorKindRow{client_idle_timeout, 0, 0, kNo, "client_idle_timeout",
                 "The client sent no further request within timeouts.keep_alive."},
    ErrorKindRow{client_closed, 0, 1, kNo, "client_closed",
                 "The client closed its connection before the exchange was over."},
    ErrorKindRow{client_reset, 0, 1, kNo, "client_reset",
                 "The client reset its connection before the exchange was over."},
    ErrorKindRow{
        bad_proxy_header, 0, 3, kNo, "bad_proxy_header",
        "A trusted proxy's connection does not begin with a header of the PROXY protocol."},
    ErrorKindRow{too_many_connections, 0, 8, kNo, "too_many_connections",
                 "The client has limits.connections_per_client connections already."},
    ErrorKindRow{no_route, 404, 12, kNo, "no_route",
                 "No route of the listener matches the request."},
    ErrorKindRow{misdirected_request, 421, 9, kNo, "misdirected_request",
                 "The request is for an https URI, and came over a connection without TLS."},
    ErrorKindRow{loop_detected, 508, 9, kNo, "loop_detected",
                 "The request has been here before: its Via names this listener's `via`."},
    ErrorKindRow{no_server, 503, 14, kNo, "no_server",
                 "No server of the backend can be used at present."},
    ErrorKindRow{queue_full, 503, 14, kNo, "queue_full", "The backend's queue is full."},
    ErrorKindRow{queue_timeout, 503, 14, kNo, "queue_timeout",
                 "No server of the backend became free within timeouts.queue."},
    ErrorKindRow{connect_refused, 502, 14, kYes, "connect_refused",
                 "The server refused the connection."},
    ErrorKindRow{
        connect_timeout, 504, 14, kYes, "connect_timeout",
        "The server did not accept a connection within timeouts.connect or the limits of retry."},
    ErrorKindRow{connect_failed, 502, 14, kYes, "connect_failed",
                 "No connection to the server could be made."},
    ErrorKindRow{source_address_unavailable, 502, 14, kYes, "source_address_unavailable",
                 "The source_address for the server is no address of this machine."},
    ErrorKindRow{server_write_timeout, 504, 4, kYes, "server_write_timeout",
                 "The server took nothing of the request for timeouts.server_body."},
    ErrorKindRow{
        response_head_timeout, 504, 4, kYes, "response_head_timeout",
        "The server sent no response head within timeouts.response_head or the limits of retry."},
    ErrorKindRow{response_body_timeout, 504, 4, kNo, "response_body_timeout",
                 "The server sent nothing of its body for timeouts.server_body."},
    ErrorKindRow{server_closed, 502, 14, kYes, "server_closed",
                 "The server closed the connection before its response was complete."},
    ErrorKindRow{server_reset, 502, 14, kYes, "server_reset",
                 "The server reset the connection before its response was complete."},
    ErrorKindRow{bad_response, 502, 13, kNo, "bad_response",
                 "The server's response breaks HTTP's rules."},
    ErrorKindRow{response_head_too_large, 502, 13, kNo, "response_head_too_large",
                 "The server's response head is larger than 32 KiB or has more than 128 fields."},
    ErrorKindRow{interim_responses_too_many, 502, 13, kNo, "interim_responses_too_many",
                 "The server sent more than 32 interim responses (1xx) before its response."},
    ErrorKindRow{bad_response_body, 502, 13, kNo, "bad_response_body",
                 "The server's chunked body breaks HTTP's rules."},
    ErrorKindRow{tunnel_idle_timeout, 0, 4, kNo, "tunnel_idle_timeout",
                 "Neither side of the tunnel sent anything for timeouts.tunnel_idle."},
    ErrorKindRow{server_drained, 503, 14, kYes, "server_drained",
                 "The server was drained or removed, and drain_deadline has passed."},
    ErrorKindRow{request_timeout, 504, 4, kNo, "request_timeout",
                 "The request and its response took longer than the route's timeouts.request."},
    ErrorKindRow{descriptors_exhausted, 503, 8, kNo, "descriptors_exhausted",
                 "No file descriptor was left for a connection to the server."},
    ErrorKindRow{buffers_exhausted, 503, 8, kNo, "buffers_exhausted",
                 "The worker's buffers are all in use."},
    ErrorKindRow{body_storage, 503, 8, kNo, "body_storage",
                 "The body could not be stored: the disk failed or does not keep up, or disk_total "
                 "is used up."},
    ErrorKindRow{connections_exhausted, 503, 8, kNo, "connections_exhausted",
                 "The worker has as many connections as worker_connections allows."},
    ErrorKindRow{shutting_down, 0, 14, kNo, "shutting_down",
                 "Weir is stopping and timeouts.shutdown has passed."},
    ErrorKindRow{canceled, 0, 1, kNo, "canceled", "The operation was cancelled."},
    ErrorKindRow{timeout, 504, 4, kYes, "timeout", "The operation took too long."},
    ErrorKindRow{io, 502, 13, kYes, "io", "The operating system reported an error."},
};
static_assert(kErrorKinds.size() == static_cast<std::size_t>(count_));

constexpr bool in_order() {
  for (std::size_t i = 0; i < kErrorKinds.size(); ++i) {
    if (static_cast<std::size_t>(kErrorKinds[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

const ErrorKindRow& row_of(ErrorKind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  WEIR_ASSERT(index < kErrorKinds.size());
  return kErrorKinds[index];
}

}  // namespace weir
