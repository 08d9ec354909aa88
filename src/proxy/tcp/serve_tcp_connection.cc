#include "proxy/tcp/serve_tcp_connection.h"

#include <optional>

#include "backend/retry_plan.h"
#include "net/listening_socket.h"
#include "net/tunnel.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// What is known of a tunnel when it ends.
struct TunnelRecord {
  std::string_view server;
  std::uint16_t attempts = 0;
  Duration connect_time = stats::kNotReached;
  TimePoint connected_at{};
  net::TunnelOutcome outcome;
};

void count_and_log(ClientConnection& connection, const backend::Backend& backend,
                   const TunnelRecord& tunnel) {
  ProxyWorker& proxy = connection.worker;
  const Listener& listener = connection.listener.listener();
  stats::ListenerCells& cells = connection.listener.cells();
  const Duration duration = proxy.worker().now() - connection.accepted_at;
  cells.bytes_received.add(tunnel.outcome.bytes_from_client);
  cells.bytes_sent.add(tunnel.outcome.bytes_from_server);
  cells.request_duration.record(duration);
  if (tunnel.outcome.error.kind != ErrorKind::none)
    proxy.cells().errors.count(tunnel.outcome.error);
  if (listener.access_log_index == Listener::kNoAccessLog) return;

  std::array<char, INET6_ADDRSTRLEN> address;
  stats::AccessRecord record;
  record.kind = stats::AccessKind::tcp;
  record.attempts = tunnel.attempts;
  record.reason = tunnel.outcome.error;
  record.time = proxy.worker().reactor().wall_now();
  record.request_time = duration;
  record.connect_time = tunnel.connect_time;
  if (tunnel.outcome.first_byte_from_server != TimePoint{}) {
    record.header_time = tunnel.outcome.first_byte_from_server - tunnel.connected_at;
  }
  record.bytes_received = tunnel.outcome.bytes_from_client;
  record.bytes_sent = tunnel.outcome.bytes_from_server;
  record.listener = listener.name;
  record.client_address = connection.peer.format_ip(address);
  record.backend = backend.name();
  record.server = tunnel.server;
  proxy.log_access(listener, record);
}

// Connects `server` to the leased server by `due`. The stream is made in place, since it may not
// move.
Task<Result<void>> connect_server(ClientConnection& connection, const backend::ServerLease& lease,
                                  std::optional<net::SocketStream>& server, TimePoint due) {
  backend::WorkerBackend& backend = lease.owner();
  Socket* socket = WEIR_CO_TRY(backend.make_socket(lease));
  net::keep_alive(socket->fd());
  server.emplace(connection.worker.worker(), *socket, Side::server);
  connection.server_side.hold(*server);
  co_return co_await backend.connect_stream(*server, lease,
                                            {.port = connection.listener.port(), .due = due});
}

Task<void> serve_tunnel(ClientConnection& connection, backend::WorkerBackend& backend) {
  Worker& worker = connection.worker.worker();
  TunnelRecord record;
  backend::RetryPlan plan(backend.backend().settings().retry, worker.now());
  std::optional<net::SocketStream> server;
  backend::ServerLease lease;
  backend.cells().requests.add();
  record.outcome.error = make_error(ErrorKind::no_server, Side::weir);
  while ((lease = plan.pick(backend, worker.now()))) {
    if (record.attempts++ != 0) backend.cells().retries.add();
    backend.cells().attempts.add();
    lease.cells().attempts.add();
    record.server = lease.server().name();
    const TimePoint started = worker.now();
    const auto connected =
        co_await connect_server(connection, lease, server, plan.due_of_attempt_at(started));
    record.connected_at = worker.now();
    if (connected) {
      record.connect_time = worker.now() - started;
      net::Tunnel tunnel(worker, connection.stream, *server,
                         connection.listener.listener().timeouts.tunnel_idle);
      record.outcome = co_await tunnel.run();
      break;
    }
    connection.server_side.let_go();
    record.outcome.error = connected.error();
    if (row_of(connected.error().kind).retryable == Retryable::no) break;
  }
  connection.server_side.let_go();
  if (lease) {
    lease.cells().bytes_sent.add(record.outcome.bytes_from_client);
    lease.cells().bytes_received.add(record.outcome.bytes_from_server);
  }
  // Whoever had nothing from a server must not take the end for an orderly one.
  if (record.outcome.error.kind != ErrorKind::none) {
    backend.cells().errors.count(record.outcome.error.kind);
    connection.stream.reset_on_close();
  }
  count_and_log(connection, backend.backend(), record);
}

}  // namespace

Task<void> serve_tcp_connection(ClientConnection& connection) {
  co_await serve_tunnel(
      connection, connection.worker.backend(connection.listener.listener().route_backends.front()));
  connection.worker.end_connection(connection);
}

}  // namespace weir::proxy
