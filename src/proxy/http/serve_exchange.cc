// One exchange: route, attempts, answer.

#include "backend/retry_plan.h"
#include "net/pause.h"
#include "proxy/http/exchange.h"
#include "proxy/http/route_request.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// While a response, or the time for another attempt, is awaited nobody reads from the client, so
// its reset is watched for.
class HangUpWatch : private net::Waiter {
 public:
  explicit HangUpWatch(Exchange& x) noexcept
      : Waiter([](Waiter& self) noexcept {
          auto& watch = static_cast<HangUpWatch&>(self);
          watch.x_.connection.server_side.cancel(watch.error);
        }),
        x_(x) {
    x.client.watch_hang_up(*this);
  }
  HangUpWatch(const HangUpWatch&) = delete;
  ~HangUpWatch() { x_.client.stop_watching(); }

 private:
  Exchange& x_;
};

// The backend that the first matching route names.
Result<BackendIndex> find_backend(Exchange& x) {
  RoutingSpace space;
  space.path = x.arena.allocate_array<char>(x.request.path.size());
  if (space.path.data() == nullptr) return fail(ErrorKind::uri_too_long, Side::client);
  const Routing routing = route_request(x.request, x.listener, space);
  if (routing.error.kind != ErrorKind::none) return fail(routing.error);
  return x.listener.route_backends[static_cast<std::size_t>(routing.route)];
}

std::uint32_t us_since(TimePoint began, TimePoint now) noexcept {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now - began).count());
}

bool may_retry(const Exchange& x, Error error) noexcept {
  if (row_of(error.kind).retryable == Retryable::no) return false;
  switch (x.progress) {
    case Progress::connecting:
      return true;
    case Progress::sent:
      return is_replayable(x);
    case Progress::response_begun:
    case Progress::answered:
      return false;
  }
  return false;
}

// A pooled connection that died of age says nothing about the server.
bool has_died_idle(const Exchange& x, Error error) noexcept {
  const bool ended =
      error.kind == ErrorKind::server_closed || error.kind == ErrorKind::server_reset;
  return ended && x.reused == stats::Reused::yes && x.progress == Progress::sent;
}

// Attempts on one server after the other, until one answers or none may be made any more.
Task<Result<void>> make_attempts(Exchange& x) {
  Worker& worker = x.proxy.worker();
  const HangUpWatch watch(x);
  backend::RetryPlan plan(x.backend->backend().settings().retry, worker.now());
  Error error = make_error(ErrorKind::no_server, Side::weir);
  while (backend::ServerLease lease = plan.pick(*x.backend, worker.now())) {
    AttemptRecord record{.server = lease.index(), .start_us = us_since(x.began, worker.now())};
    x.backend->cells().attempts.add();
    if (x.attempts.size() != 0) x.backend->cells().retries.add();
    if (x.body.is_whole()) x.body.rewind();
    const auto result = co_await attempt(x, lease, plan.due_of_attempt_at(worker.now()));
    record.end_us = us_since(x.began, worker.now());
    if (!result) record.error = result.error().kind;
    x.attempts.add(record);
    if (result) co_return result;
    error = result.error();
    if (!may_retry(x, error)) break;
    lease.release();
    if (has_died_idle(x, error)) {
      x.backend->close_idle_of(record.server);
      plan.forget_last();
    } else if (error.kind != ErrorKind::connect_refused) {
      const TimePoint next = worker.now() + plan.next_backoff(worker.random());
      if (!plan.allows_attempt_at(next)) break;
      WEIR_CO_TRY(co_await net::Pause(worker, x.connection.server_side, next));
    }
  }
  co_return fail(error);
}

}  // namespace

Exchange::Exchange(ClientConnection& client_connection,
                   net::ClientSideStream& client_stream) noexcept
    : connection(client_connection),
      client(client_stream),
      proxy(client_connection.worker),
      listener(client_connection.listener.listener()),
      arena(client_connection.worker.worker().buffers()),
      body(client_connection.worker.worker().buffers(), client_stream),
      began(client_connection.worker.worker().now()) {}

Task<void> serve_exchange(Exchange& x) {
  const auto found = find_backend(x);
  if (found) {
    x.backend = &x.proxy.backend(*found);
    x.backend->cells().requests.add();
    // What cannot be sent again need not be kept.
    if (!http::is_idempotent(x.request.method)) x.body.stop_keeping();
    const auto result = co_await make_attempts(x);
    if (result) co_return;
    x.error = result.error();
    x.backend->cells().errors.count(x.error.kind);
  } else {
    x.error = found.error();
  }
  if (x.progress != Progress::answered) co_await write_error_page(x);
}

}  // namespace weir::proxy
