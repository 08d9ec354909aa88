// The life of an HTTP/1 client connection: one exchange after the other, until somebody wants to
// close.

#include "net/http/http1_stream.h"
#include "net/linger.h"
#include "proxy/http/answer.h"
#include "proxy/proxy_header.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// Of one connection, without a wait.
constexpr std::uint64_t kRequestsPerTurn = 16;

enum class Next : std::uint8_t { request, close, linger };

void count_for_group(const Exchange& x, Duration duration) {
  stats::GroupCells& cells = x.group->cells;
  cells.requests.add();
  if (x.status != 0) cells.responses.count(x.status);
  cells.request_duration.record(duration);
}

void count_and_log(const Exchange& x) {
  stats::ListenerCells& cells = x.listener_use->cells;
  const Duration duration = x.proxy.worker().now() - x.began;
  cells.requests.add();
  cells.bytes_received.add(x.bytes_received);
  cells.bytes_sent.add(x.bytes_sent);
  if (x.status != 0) cells.responses.count(x.status);
  cells.request_duration.record(duration);
  if (x.group) count_for_group(x, duration);
  if (x.error.kind != ErrorKind::none) x.proxy.cells().errors.count(x.error);
  if (x.filters != nullptr) x.filters->end(x);
  if (x.listener.access_log == nullptr) return;
  if (x.listener.log_line) return x.proxy.log_line(source_of(x));

  std::array<char, INET6_ADDRSTRLEN> address;
  const auto value_of = [&x](http::FieldId id) {
    const http::Field* field = x.request.fields.find(id);
    return field == nullptr ? std::string_view() : field->value;
  };
  stats::AccessRecord record;
  record.reused = x.reused;
  record.status = x.status;
  record.attempts = static_cast<std::uint16_t>(x.attempts.size());
  record.reason = x.error;
  if (x.error.kind != ErrorKind::none) {
    record.sentence = x.sentence.empty() ? sentence_of(x.error) : x.sentence;
  }
  record.time = x.proxy.worker().reactor().wall_now();
  record.request_time = duration;
  record.connect_time = x.connect_time;
  record.header_time = x.header_time;
  record.bytes_received = x.bytes_received;
  record.bytes_sent = x.bytes_sent;
  record.listener = x.listener.name;
  record.client_address = x.client_address->format_ip(address);
  record.method = x.request.method_text;
  record.target = x.request.target;
  record.protocol = x.request.version == http::Version::http_1_1 ? "HTTP/1.1" : "HTTP/1.0";
  record.host = x.request.authority;
  record.referer = value_of(http::FieldId::referer);
  record.user_agent = value_of(http::FieldId::user_agent);
  if (const backend::ServerPool* server = x.attempts.last_server()) {
    record.backend = server->server().backend_name();
    record.server = server->server().name();
  } else if (x.backend) {
    record.backend = x.backend->backend().name();
  }
  x.proxy.log_access(x.listener, record);
}

bool is_last(const ClientConnection& connection, std::uint64_t requests) {
  const auto& limit = connection.listener->listener().limits.requests_per_connection;
  return connection.is_ending() || (limit && requests >= *limit);
}

// One request, from the first byte of its head to its line in the log. received: what has come of
// it; afterwards, what has come of the next one. Not a part of its caller's frame, which would then
// have room for an exchange while it waits for the next one.
[[gnu::noinline]] Task<Next> serve_request(ClientConnection& connection,
                                           net::ReceiveBuffer& received, std::uint64_t requests) {
  net::Http1ClientSide client(connection.worker.worker(), connection.stream,
                              connection.listener->listener().head_limits, received);
  Exchange x(connection, client);
  if (is_last(connection, requests)) x.persistence = http::Persistence::close;
  const auto read =
      co_await client.read_head(x.request, x.arena, x.began + x.listener.timeouts.client_head);
  if (read) {
    co_await serve_exchange(x);
  } else {
    x.error = read.error();
    x.persistence = http::Persistence::close;
    co_await write_error_page(x);
  }
  count_and_log(x);
  // Whoever got half a response must not take it for a whole one.
  if (x.error.kind != ErrorKind::none && x.progress == Progress::answered) {
    connection.stream.reset_on_close();
    co_return Next::close;
  }
  if (x.status == 101) co_return Next::close;
  const bool answered = x.status != 0;
  if (read && answered && client.is_reusable()) {
    client.finish_exchange(received);
    co_return Next::request;
  }
  // Whoever was told of the end by this answer only may have sent its next request already.
  const bool is_told_now = x.request.persistence == http::Persistence::keep_alive;
  const bool may_have_more =
      !read || !client.is_body_read() || client.has_pipelined() || is_told_now;
  co_return answered&& may_have_more ? Next::linger : Next::close;
}

// Nothing was served. Who went without a word, to see whether somebody listens, leaves no line.
void end_unadmitted(ClientConnection& connection, Error error) {
  connection.stream.reset_on_close();
  if (error.kind == ErrorKind::client_closed) return;
  net::Http1ClientSide client(connection.worker.worker(), connection.stream,
                              connection.listener->listener().head_limits);
  Exchange x(connection, client);
  x.error = error;
  count_and_log(x);
}

// How long the client may take to begin a request.
TimePoint due(const ClientConnection& connection, std::uint64_t requests) {
  const auto& timeouts = connection.listener->listener().timeouts;
  return connection.worker.worker().now() +
         (requests == 1 ? timeouts.client_head : timeouts.keep_alive);
}

// After waiting for a request.
Next what_next(const ClientConnection& connection, const Result<void>& begun) {
  if (begun) return Next::request;
  const bool is_ended_by_drain =
      begun.error().kind == ErrorKind::canceled && connection.is_ending();
  return is_ended_by_drain ? Next::linger : Next::close;
}

}  // namespace

// Waiting for a request takes no more than this frame and the connection itself, however many of
// them wait: what serves the request is made when its first byte is there.
Task<void> serve_http_connection(ClientConnection& connection) {
  Worker& worker = connection.worker.worker();
  Next next = Next::request;
  Result<void> admitted;
  if (expects_proxy_header(connection)) admitted = co_await read_proxy_header(connection);
  if (admitted) admitted = count_for_client(connection);
  if (!admitted) {
    end_unadmitted(connection, admitted.error());
    next = Next::close;
  }
  net::ReceiveBuffer received;
  for (std::uint64_t requests = 1; next == Next::request; ++requests) {
    // Whoever sends faster than it is answered would never be waited for.
    if (requests % kRequestsPerTurn == 0) co_await worker.yield();
    if (received.size() == 0) {
      if (requests > 1 && connection.is_ending()) {
        next = Next::linger;
        break;
      }
      // Whoever has just connected is about to ask: that is not idling.
      if (requests > 1) connection.phase = ClientConnection::Phase::idle;
      next = what_next(connection,
                       co_await connection.stream.receive(received, due(connection, requests)));
      connection.phase = ClientConnection::Phase::busy;
    }
    if (next == Next::request) next = co_await serve_request(connection, received, requests);
  }
  if (next == Next::linger) co_await net::linger(worker, connection.stream);
  connection.worker.end_connection(connection);
}

}  // namespace weir::proxy
