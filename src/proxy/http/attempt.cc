// One attempt: write the request to a server, relay the response.

#include <utility>

#include "proxy/http/answer.h"
#include "proxy/http/prepare_request.h"
#include "proxy/http/relay.h"
#include "proxy/http/upgrade.h"
#include "proxy/proxy_header.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

using backend::ServerStream;

// What cancelling the exchange ends while it uses a stream: that stream alone.
class StreamUse final : private net::Abortable {
 public:
  StreamUse(net::CancelSlot& slot, net::ServerSideStream& stream) noexcept
      : slot_(slot), stream_(stream) {
    slot.hold(*this);
  }
  StreamUse(const StreamUse&) = delete;
  ~StreamUse() { slot_.let_go(); }

 private:
  void abort(Error reason) noexcept override { stream_.reset(reason); }

  net::CancelSlot& slot_;
  net::ServerSideStream& stream_;
};

BodyLimits request_limits(const Exchange& x) noexcept {
  const auto& body_bytes = x.listener.limits.body_bytes;
  return {.read = x.timeouts.client_body,
          .write = x.timeouts.server_body,
          .bytes_max = body_bytes ? body_bytes->value : UINT64_MAX};
}

BodyLimits response_limits(const Exchange& x) noexcept {
  return {.read = x.timeouts.server_body, .write = x.timeouts.client_body};
}

// A body that is known to be too large to be kept is sent once only.
backend::Replay replay_of(const Exchange& x) noexcept {
  const bool too_large =
      x.request.body.framing == http::Framing::length && !x.body.can_keep(x.request.body.bytes);
  return is_replayable(x) && !too_large ? backend::Replay::possible : backend::Replay::impossible;
}

// A timeout of a body says which end stood still.
Error exact_error(const BodyPump& pump, ErrorKind read_timeout, ErrorKind write_timeout) noexcept {
  Error error = pump.failure();
  if (error.kind == ErrorKind::timeout) {
    error.kind = pump.failed() == BodyPump::Failed::source ? read_timeout : write_timeout;
  }
  return error;
}

// What ends one part of an exchange makes the others fail as well: the cause is what came first.
Error cause_of(const Exchange& x, Relay& relay, Error error) noexcept {
  const net::CancelSlot& server_side = x.connection.server_side;
  if (server_side.is_canceled()) return server_side.reason();
  if (!relay.has_request_failed()) return error;
  return exact_error(relay.request(), ErrorKind::client_body_timeout,
                     ErrorKind::server_write_timeout);
}

// The time for a response head. It does not run while the client sends its request.
struct HeadTime {
  TimePoint began;
  TimePoint due;
};

TimePoint response_due(const Exchange& x, Relay& relay, HeadTime time) noexcept {
  if (!relay.request().is_started()) return time.due;
  const TimePoint request_end =
      relay.request().is_over() ? relay.request().ended_at() : x.proxy.worker().now();
  return time.due + (request_end - time.began);
}

// Interim responses are passed on, but not to a client of HTTP/1.0 (RFC 9110 15.2).
Task<Result<void>> read_final_head(Exchange& x, net::ServerSideStream& server, Relay& relay,
                                   HeadTime time) {
  constexpr int kInterimMax = 32;
  for (int interim = 0;;) {
    const TimePoint due = response_due(x, relay, time);
    const auto read = co_await server.read_head(x.response, x.arena, due);
    if (server.has_response_begun()) x.progress = Progress::response_begun;
    if (!read) {
      const bool too_early = read.error().kind == ErrorKind::response_head_timeout &&
                             response_due(x, relay, time) > x.proxy.worker().now();
      if (too_early) continue;
      co_return read;
    }
    if (x.response.status >= 200 || x.response.status == 101) co_return Result<void>();
    if (++interim > kInterimMax) {
      co_return fail(ErrorKind::interim_responses_too_many, Side::server);
    }
    if (x.request.version == http::Version::http_1_0) continue;
    WEIR_CO_TRY(co_await x.client.write_head(x.response, net::BodyFollows::no,
                                             x.proxy.worker().now() + x.timeouts.client_body));
  }
}

// What an intermediary owes the client: a date (RFC 9110 6.6.1), and with a 426 the protocols that
// the server asks for (RFC 9110 15.5.22).
void complete_fields(Exchange& x, http::FieldList& fields, std::uint16_t status) noexcept {
  if (fields.find(http::FieldId::date) == nullptr) {
    // Without room the head stays as it is.
    static_cast<void>(add_field(
        x, fields, {.name = "Date", .value = x.proxy.http_date(), .id = http::FieldId::date}));
  }
  static_cast<void>(add_via(x, fields, x.response.version));
  if (status != 426) return;
  for (http::Field& field : fields) {
    const bool is_connection = field.id == http::FieldId::connection;
    if (!is_connection && field.id != http::FieldId::upgrade) continue;
    field.scope = http::Scope::end_to_end;
    if (is_connection) field.value = "upgrade";
  }
}

// The head is in x.response: passes it and the body on.
Task<Result<void>> relay_response(Exchange& x, Relay& relay, net::ServerSideStream& server) {
  http::ResponseHead head = x.response;
  head.persistence = x.persistence;
  // Who answers before the end of the request will not read it to its end, so that is the last one.
  if (x.connection.is_ending() || !x.client.is_body_read()) {
    head.persistence = http::Persistence::close;
  }
  complete_fields(x, head.fields, head.status);
  const auto follows = server.is_body_read() ? net::BodyFollows::no : net::BodyFollows::yes;
  net::BodySource* body = &server;
  if (x.filters != nullptr) {
    WEIR_CO_TRY(x.filters->filter_response(x, head, Origin::server));
    if (follows == net::BodyFollows::yes) {
      body = WEIR_CO_TRY(x.filters->wrap_response_body(x, head, server));
    }
  }
  x.status = head.status;
  x.response.fields = head.fields;
  x.progress = Progress::answered;
  WEIR_CO_TRY(
      co_await x.client.write_head(head, follows, x.proxy.worker().now() + x.timeouts.client_body));
  if (follows == net::BodyFollows::no) co_return Result<void>();
  // A long body keeps no generation of the backend's configuration.
  x.backend.reset();
  if (const BodyStore* const store = x.filters != nullptr ? x.filters->response_store() : nullptr) {
    x.stored_response = StoredResponse::make(x, *store);
    if (x.stored_response == nullptr) co_return fail(ErrorKind::buffers_exhausted, Side::weir);
    auto stored = relay.pump_response(*body, x.stored_response->body());
    x.stored_response->start();
    co_await stored;
  } else {
    co_await relay.pump_response(*body, x.client);
    x.bytes_sent = relay.response().bytes();
  }
  if (relay.response().failed() == BodyPump::Failed::none) co_return Result<void>();
  const Error error = exact_error(relay.response(), ErrorKind::response_body_timeout,
                                  ErrorKind::client_write_timeout);
  if (x.stored_response != nullptr) {
    x.stored_response->body().stop(error);
  } else if (relay.response().failed() != BodyPump::Failed::sink && x.client.take_back_head()) {
    // The body broke off at its first bytes, with nothing sent: the client gets an answer.
    x.progress = Progress::response_begun;
    x.status = 0;
    x.bytes_sent = 0;
  }
  co_return fail(error);
}

Task<Result<void>> exchange_messages(Exchange& x, backend::ServerLease& lease,
                                     const ServerStream& stream, Relay& relay, TimePoint due) {
  net::ServerSideStream& server = stream.http();
  const auto follows = has_body(x.request) ? net::BodyFollows::yes : net::BodyFollows::no;
  const TimePoint started = x.proxy.worker().now();
  x.progress = Progress::sent;
  http::RequestHead request = x.request;
  // HTTP/1.0 has requests without Host, no version that servers are spoken to has.
  if (request.authority.empty()) request.authority = stream.pool().server().authority();
  const auto written =
      co_await server.write_head(request, follows, std::min(started + x.timeouts.server_body, due));
  if (follows == net::BodyFollows::yes && written) relay.start_request();
  // What a server said before it stopped listening is still its answer.
  const bool unwritten = !written && written.error().kind != ErrorKind::server_reset;
  if (unwritten) co_return written;
  const HeadTime time{.began = started, .due = std::min(started + x.timeouts.response_head, due)};
  const auto read = co_await read_final_head(x, server, relay, time);
  if (!read) co_return fail(read.error());
  x.body.stop_keeping();
  x.header_time = x.proxy.worker().now() - started;
  stream.pool().cells().response_head.record(x.header_time);
  stream.pool().cells().responses.count(x.response.status);
  lease.on_response(x.header_time);
  if (x.response.status >= 500) lease.mark_failed();
  if (x.response.status == 101) {
    // What is left of a body would run into the tunnel.
    const bool is_sent = follows == net::BodyFollows::no || relay.request().is_over();
    if (!is_sent) co_return fail(ErrorKind::bad_response, Side::server);
    co_return co_await run_upgrade(x, server);
  }
  co_return co_await relay_response(x, relay, server);
}

// What a connection to the server begins with; empty: nothing.
Result<std::string_view> proxy_header_of(Exchange& x) noexcept {
  const auto version = x.backend->backend().settings().proxy_protocol;
  if (!version) return std::string_view();
  const std::span<char> space = x.arena.allocate_array<char>(kProxyHeaderBytesMax);
  if (space.empty()) return fail(ErrorKind::buffers_exhausted, Side::weir);
  const auto header = space.first<kProxyHeaderBytesMax>();
  return std::string_view(header.data(), write_proxy_header(x.connection, *version, header));
}

// A response's fields lie in the connection to the server. What the log's line takes of those that
// went to the client stays in the exchange.
void keep_response_fields(Exchange& x) noexcept {
  const http::FieldList fields = std::exchange(x.response.fields, {});
  if (!x.listener.log_line || x.progress != Progress::answered) return;
  const std::span<const std::string> names = x.listener.log_line->response_fields();
  if (names.empty()) return;
  http::FieldList kept(x.arena.allocate_array<http::Field>(names.size()));
  for (const std::string& name : names) {
    const http::Field* field = fields.find(name);
    if (field == nullptr) continue;
    // Without memory a line has less to say.
    if (!kept.add({.name = name, .value = x.arena.copy(field->value)})) return;
  }
  x.response.fields = kept;
}

}  // namespace

Task<Result<void>> attempt(Exchange& x, backend::ServerLease& lease, TimePoint due) {
  Worker& worker = x.proxy.worker();
  const TimePoint started = worker.now();
  x.progress = Progress::connecting;
  const backend::LeaseUse use_of_lease(lease, x.connection.server_side);
  lease.cells().attempts.add();
  const backend::ConnectOptions options{.port = x.connection.listener->port(),
                                        .replay = replay_of(x),
                                        .due = due,
                                        .first_bytes = WEIR_CO_TRY(proxy_header_of(x)),
                                        .reached = &x.attempts.address()};
  ServerStream stream =
      WEIR_CO_TRY(co_await x.backend->connect(lease, options, x.connection.server_side));
  x.reused = stream.is_reused() ? stats::Reused::yes : stats::Reused::no;
  x.connect_time = worker.now() - started;
  const StreamUse use_of_stream(x.connection.server_side, stream.http());
  Relay relay(worker, x.body, stream.http(), request_limits(x), response_limits(x));
  auto result = co_await exchange_messages(x, lease, stream, relay, due);
  if (!result) result = fail(cause_of(x, relay, result.error()));
  co_await relay.stop_request();
  keep_response_fields(x);
  const bool is_tunnel = x.status == 101;
  if (!is_tunnel) x.bytes_received = x.body.received();
  lease.cells().bytes_sent.add(is_tunnel ? x.bytes_received : relay.request().bytes());
  lease.cells().bytes_received.add(is_tunnel ? x.bytes_sent : relay.response_bytes());
  // What a cancelled stream had received may have been all that was awaited; it has ended all the
  // same.
  if (result && !x.connection.server_side.is_canceled()) stream.mark_ended_well();
  x.may_have_died_at_rest = stream.may_have_died_at_rest();
  co_return result;
}

}  // namespace weir::proxy
