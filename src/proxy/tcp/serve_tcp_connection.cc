#include "proxy/tcp/serve_tcp_connection.h"

#include <optional>

#include "backend/connect_plan.h"
#include "backend/retry_plan.h"
#include "net/listening_socket.h"
#include "net/tunnel.h"
#include "proxy/failure_sentence.h"
#include "proxy/pick_for.h"
#include "proxy/proxy_header.h"
#include "proxy/value.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// What is known of a tunnel when it ends.
struct TunnelRecord {
  explicit TunnelRecord(TimePoint began) noexcept : attempts(began) {}
  LocalRef<GroupUse> group;  // null: its listener has no split
  AttemptLog attempts;
  Duration connect_time = stats::kNotReached;
  TimePoint connected_at{};
  net::TunnelOutcome outcome;

  Duration first_byte_time() const noexcept {
    const bool is_none = outcome.first_byte_from_server == TimePoint{};
    return is_none ? stats::kNotReached : outcome.first_byte_from_server - connected_at;
  }
};

ValueSource source_of(const ClientConnection& connection, const ListenerUse& use,
                      const backend::WorkerBackend* backend, const TunnelRecord& tunnel) noexcept {
  return {.connection = &connection,
          .client = connection.peer,
          .listener_use = use,
          .attempts = &tunnel.attempts,
          .backend = backend,
          .group = tunnel.group ? std::string_view(tunnel.group->name) : std::string_view(),
          .began = connection.accepted_at,
          .connect_time = tunnel.connect_time,
          .header_time = tunnel.first_byte_time(),
          .error = tunnel.outcome.error,
          .bytes_received = tunnel.outcome.bytes_from_client,
          .bytes_sent = tunnel.outcome.bytes_from_server};
}

// backend: where a server was looked for; nullptr: one was found, or it came not so far.
void count_and_log(ClientConnection& connection, const ListenerUse& use,
                   backend::WorkerBackend* backend, const TunnelRecord& tunnel) {
  ProxyWorker& proxy = connection.worker;
  const Listener& listener = *use.listener;
  stats::ListenerCells& cells = use.cells;
  const Duration duration = proxy.worker().now() - connection.accepted_at;
  cells.bytes_received.add(tunnel.outcome.bytes_from_client);
  cells.bytes_sent.add(tunnel.outcome.bytes_from_server);
  cells.request_duration.record(duration);
  if (tunnel.group) {
    tunnel.group->cells.requests.add();
    tunnel.group->cells.request_duration.record(duration);
  }
  const Error error = tunnel.outcome.error;
  if (error.kind != ErrorKind::none) proxy.cells().errors.count(error);
  if (listener.access_log == nullptr) return;
  if (listener.log_line) return proxy.log_line(source_of(connection, use, backend, tunnel));

  std::array<char, INET6_ADDRSTRLEN> address;
  std::array<char, stats::kAccessSentenceBytesMax> sentence;
  stats::AccessRecord record;
  record.kind = stats::AccessKind::tcp;
  record.attempts = static_cast<std::uint16_t>(tunnel.attempts.size());
  record.reason = error;
  record.time = proxy.worker().reactor().wall_now();
  record.request_time = duration;
  record.connect_time = tunnel.connect_time;
  record.header_time = tunnel.first_byte_time();
  record.bytes_received = tunnel.outcome.bytes_from_client;
  record.bytes_sent = tunnel.outcome.bytes_from_server;
  record.listener = listener.name;
  record.client_address = connection.peer.format_ip(address);
  if (const backend::ServerPool* server = tunnel.attempts.last_server()) {
    record.backend = server->server().backend_name();
    record.server = server->server().name();
  } else if (backend != nullptr) {
    record.backend = backend->backend().name();
  }
  if (error.kind != ErrorKind::none) {
    record.sentence = write_failure_sentence({.error = error,
                                              .what = row_of(error.kind).sentence,
                                              .attempts = tunnel.attempts,
                                              .backend = backend},
                                             sentence);
  }
  proxy.log_access(listener, record);
}

// Connects `server` to the leased server by `due`. The stream is made in place, since it may not
// move.
Task<Result<void>> connect_server(ClientConnection& connection, backend::WorkerBackend& backend,
                                  const backend::ServerLease& lease,
                                  std::optional<net::SocketStream>& server, AttemptLog& attempts,
                                  TimePoint due) {
  backend::ConnectPlan plan(backend, lease, {.port = connection.listener->port(), .due = due});
  for (;;) {
    Socket* socket = WEIR_CO_TRY(plan.make_socket());
    attempts.note_address(plan.address());
    if (!backend.backend().settings().tcp.keep_alive) net::keep_alive(socket->fd());
    server.emplace(connection.worker.worker(), *socket, Side::server);
    connection.server_side.hold(*server);
    const auto connected = co_await plan.connect(*server);
    if (connected || !plan.may_go_on()) co_return connected;
    connection.server_side.let_go();
  }
}

// A lease of a server that `server` is connected to.
Task<Result<backend::ServerLease>> connect_some_server(ClientConnection& connection,
                                                       const ListenerUse& use,
                                                       backend::WorkerBackend& backend,
                                                       std::optional<net::SocketStream>& server,
                                                       TunnelRecord& record) {
  Worker& worker = connection.worker.worker();
  backend::RetryPlan plan(backend.backend().settings().retry, worker.now(), pick_for(backend, [&] {
                            return source_of(connection, use, &backend, record);
                          }));
  Error error = make_error(ErrorKind::no_server, Side::weir);
  for (;;) {
    backend::Picked picked = plan.pick(backend, worker.now());
    if (picked.is_full) {
      WEIR_CO_TRY(co_await plan.wait(backend, connection.server_side, picked.lease));
    }
    if (!picked.lease) break;
    backend::ServerLease lease = std::move(picked.lease);
    const backend::LeaseUse use_of_lease(lease, connection.server_side);
    if (record.attempts.size() != 0) backend.cells().retries.add();
    backend.cells().attempts.add();
    lease.cells().attempts.add();
    const TimePoint started = worker.now();
    record.attempts.begin(lease.pool(), started);
    const auto connected = co_await connect_server(
        connection, backend, lease, server, record.attempts, plan.due_of_attempt_at(started));
    record.connected_at = worker.now();
    record.attempts.end(connected ? ErrorKind::none : connected.error().kind, worker.now());
    if (connected) {
      record.connect_time = worker.now() - started;
      lease.on_response(record.connect_time);
      co_return lease;
    }
    lease.mark_failed();
    connection.server_side.let_go();
    // The next lease may have to be waited for; a connection without one would not be counted.
    server.reset();
    error = connected.error();
    if (row_of(error.kind).retryable == Retryable::no) break;
  }
  co_return fail(error);
}

// What the server is told before the client's first byte. False: there is no room.
bool put_proxy_header(const ClientConnection& connection, backend::ProxyProtocol version,
                      net::Tunnel& tunnel, std::size_t& bytes) noexcept {
  const auto space = connection.worker.worker().shared_buffer().first<kProxyHeaderBytesMax>();
  bytes = write_proxy_header(connection, version, space);
  return tunnel.put_first({space.data(), bytes}, {});
}

// Of the listener, or of the group that it puts the connection in.
LocalRef<backend::WorkerBackend> choose_backend(ClientConnection& connection,
                                                const ListenerUse& use, TunnelRecord& record) {
  const WorkerSplit* split = connection.listener->find_split(RouteIndex{0});
  if (split == nullptr) return connection.listener->backend_of(RouteIndex{0});
  const WorkerGroup& group =
      split->choose(source_of(connection, use, nullptr, record), connection.worker.worker());
  record.group = group.use;
  return group.backend;
}

Task<void> serve_tunnel(ClientConnection& connection) {
  const LocalRef<ListenerUse> use = connection.listener->use();
  TunnelRecord record(connection.accepted_at);
  LocalRef<backend::WorkerBackend> backend = choose_backend(connection, *use, record);
  std::optional<net::SocketStream> server;
  backend->cells().requests.add();
  auto lease = co_await connect_some_server(connection, *use, *backend, server, record);
  if (lease) {
    const backend::LeaseUse use_of_lease(*lease, connection.server_side);
    const auto proxy_protocol = backend->backend().settings().proxy_protocol;
    // A tunnel may outlive any number of configurations, and keeps none.
    backend.reset();
    connection.listener.reset();
    net::Tunnel tunnel(connection.worker.worker(), connection.stream, *server,
                       use->listener->timeouts.tunnel_idle);
    std::size_t header_bytes = 0;
    if (!proxy_protocol || put_proxy_header(connection, *proxy_protocol, tunnel, header_bytes)) {
      record.outcome = co_await tunnel.run();
      record.outcome.bytes_from_client -= header_bytes;
      if (record.outcome.error.kind == ErrorKind::none) lease->mark_whole();
    } else {
      record.outcome.error = make_error(ErrorKind::buffers_exhausted, Side::weir);
    }
    record.attempts.end(record.outcome.error.kind, connection.worker.worker().now());
    lease->cells().bytes_sent.add(record.outcome.bytes_from_client);
    lease->cells().bytes_received.add(record.outcome.bytes_from_server);
  } else {
    record.outcome.error = lease.error();
  }
  connection.server_side.let_go();
  // Whoever had nothing from a server must not take the end for an orderly one.
  if (record.outcome.error.kind != ErrorKind::none) {
    const backend::ServerPool* server_tried = record.attempts.last_server();
    auto& cells = server_tried != nullptr ? server_tried->backend_cells() : backend->cells();
    cells.errors.count(record.outcome.error.kind);
    connection.stream.reset_on_close();
  }
  count_and_log(connection, *use, backend.get(), record);
}

// Nothing was served. Who went without a word, to see whether somebody listens, leaves no line.
void end_unadmitted(ClientConnection& connection, Error error) {
  connection.stream.reset_on_close();
  if (error.kind == ErrorKind::client_closed) return;
  TunnelRecord record(connection.accepted_at);
  record.outcome.error = error;
  const LocalRef<backend::WorkerBackend>& backend = connection.listener->backend_of(RouteIndex{0});
  count_and_log(connection, *connection.listener->use(), backend.get(), record);
}

}  // namespace

Task<void> serve_tcp_connection(ClientConnection& connection) {
  Result<void> admitted;
  if (expects_proxy_header(connection)) admitted = co_await read_proxy_header(connection);
  if (admitted) admitted = count_for_client(connection);
  if (admitted) {
    co_await serve_tunnel(connection);
  } else {
    end_unadmitted(connection, admitted.error());
  }
  connection.worker.end_connection(connection);
}

}  // namespace weir::proxy
