// One exchange: route, attempts, answer.

#include "backend/retry_plan.h"
#include "net/pause.h"
#include "proxy/failure_sentence.h"
#include "proxy/http/answer.h"
#include "proxy/http/prepare_request.h"
#include "proxy/http/route_request.h"
#include "proxy/http/upgrade.h"
#include "proxy/pick_for.h"
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

void set_backend_timeouts(Exchange& x, const RouteTimeouts& route) noexcept {
  const backend::BackendTimeouts& of_backend = x.backend->backend().settings().timeouts;
  x.timeouts.response_head = route.response_head.value_or(of_backend.response_head);
  x.timeouts.server_body = route.server_body.value_or(of_backend.server_body);
}

void set_timeouts(Exchange& x, const RouteTimeouts& route) noexcept {
  x.timeouts.client_body = route.client_body.value_or(x.listener.timeouts.client_body);
  if (x.backend) set_backend_timeouts(x, route);
  if (route.request) x.deadline.begin(*route.request);
}

void set_filters(Exchange& x, const LocalRef<FilterUse>& use) noexcept {
  x.filter_use = use;
  x.filters = use ? use->chain.get() : nullptr;
}

// The first matching route says which backend, which filters and which timeouts.
Result<RouteIndex> route(Exchange& x) {
  RoutingSpace space;
  space.path = x.arena.allocate_array<char>(x.request.path.size());
  if (space.path.data() == nullptr) return fail(ErrorKind::uri_too_long, Side::client);
  const WorkerListener& listener = *x.connection.listener;
  const Routing routing =
      route_request(x.request, listener.listener().limits, listener.router(), space);
  if (routing.error.kind != ErrorKind::none) return fail(routing.error);
  x.backend = listener.backend_of(routing.route);
  set_timeouts(x, listener.timeouts_of(routing.route));
  set_filters(x, listener.filters_of(routing.route));
  return routing.route;
}

// Where the route has a split. Not before the request is prepared: then it is known who the client
// is.
void choose_group(Exchange& x, RouteIndex route) noexcept {
  const WorkerListener& listener = *x.connection.listener;
  const WorkerSplit* split = listener.find_split(route);
  if (split == nullptr) return;
  const WorkerGroup& group = split->choose(source_of(x), x.proxy.worker());
  x.group = group.use;
  x.backend = group.backend;
  set_backend_timeouts(x, listener.timeouts_of(route));
  set_filters(x, group.filters);
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

// A pooled connection that died of age says nothing about the server, so nothing is waited for. The
// server may as well have died with it: the next attempt is another one's if there is one.
bool has_died_idle(const Exchange& x, Error error) noexcept {
  const bool ended =
      error.kind == ErrorKind::server_closed || error.kind == ErrorKind::server_reset;
  return ended && x.may_have_died_at_rest && x.progress == Progress::sent;
}

// Attempts on one server after the other, until one answers or none may be made any more.
Task<Result<void>> make_attempts(Exchange& x) {
  Worker& worker = x.proxy.worker();
  const HangUpWatch watch(x);
  backend::RetryPlan plan(x.backend->backend().settings().retry, worker.now(),
                          pick_for(*x.backend, [&x] { return source_of(x); }));
  Error error = make_error(ErrorKind::no_server, Side::weir);
  for (;;) {
    backend::Picked picked = plan.pick(*x.backend, worker.now());
    if (picked.is_full) {
      WEIR_CO_TRY(co_await plan.wait(*x.backend, x.connection.server_side, picked.lease));
    }
    if (!picked.lease) break;
    backend::ServerLease lease = std::move(picked.lease);
    x.backend->cells().attempts.add();
    if (x.attempts.size() != 0) x.backend->cells().retries.add();
    x.attempts.begin(lease.pool(), worker.now());
    if (x.body.is_rewindable()) x.body.rewind();
    const auto result = co_await attempt(x, lease, plan.due_of_attempt_at(worker.now()));
    x.attempts.end(result ? ErrorKind::none : result.error().kind, worker.now());
    if (result) {
      lease.mark_whole();
      co_return result;
    }
    error = result.error();
    if (error.side == Side::server && !has_died_idle(x, error)) lease.mark_failed();
    if (!may_retry(x, error)) break;
    lease.release();
    if (has_died_idle(x, error)) {
      x.attempts.last_server()->close_idle();
    } else if (error.kind != ErrorKind::connect_refused) {
      const TimePoint next = worker.now() + plan.next_backoff(worker.random());
      if (!plan.allows_attempt_at(next)) break;
      WEIR_CO_TRY(co_await net::Pause(worker, x.connection.server_side, next));
    }
  }
  co_return fail(error);
}

// Empty: no line is written, or there is no room.
std::string_view sentence_for_log(Exchange& x) {
  if (x.listener.access_log == nullptr) return {};
  const std::span<char> room = x.arena.allocate_array<char>(stats::kAccessSentenceBytesMax);
  if (room.empty()) return {};
  return write_failure_sentence({.error = x.error,
                                 .what = sentence_of(x.error),
                                 .attempts = x.attempts,
                                 .backend = x.backend.get()},
                                room.first<stats::kAccessSentenceBytesMax>());
}

}  // namespace

RequestDeadline::RequestDeadline(Exchange& exchange) noexcept
    : Timer([](Timer& self) noexcept { static_cast<RequestDeadline&>(self).on_over(); }),
      exchange_(exchange) {}

void RequestDeadline::begin(Duration limit) noexcept {
  Worker& worker = exchange_.proxy.worker();
  arm(worker.timers(), worker.now() + limit);
}

void RequestDeadline::end() noexcept {
  disarm();
  exchange_.connection.server_side.forget(ErrorKind::request_timeout);
}

void RequestDeadline::on_over() noexcept {
  const Error error = make_error(ErrorKind::request_timeout, Side::weir);
  if (exchange_.progress == Progress::answered) return exchange_.connection.abort(error);
  exchange_.connection.server_side.cancel(error);
}

Exchange::Exchange(ClientConnection& client_connection,
                   net::ClientSideStream& client_stream) noexcept
    : connection(client_connection),
      client(client_stream),
      proxy(client_connection.worker),
      listener_use(client_connection.listener->use()),
      listener(*listener_use->listener),
      arena(client_connection.worker.worker().buffers()),
      client_address(&connection.peer),
      filters(listener.filters.get()),
      began(client_connection.worker.worker().now()),
      attempts(began),
      body(client_connection.worker.worker().buffers(), client_stream),
      deadline(*this) {
  timeouts.client_body = listener.timeouts.client_body;
}

ValueSource source_of(const Exchange& x) noexcept {
  return {.connection = &x.connection,
          .client = *x.client_address,
          .listener_use = *x.listener_use,
          .attempts = &x.attempts,
          .backend = x.backend.get(),
          .group = x.group ? std::string_view(x.group->name) : std::string_view(),
          .began = x.began,
          .connect_time = x.connect_time,
          .header_time = x.header_time,
          .error = x.error,
          .bytes_received = x.bytes_received,
          .bytes_sent = x.bytes_sent,
          .request = &x.request,
          .response = &x.response,
          .status = x.status,
          .request_id = x.request_id};
}

Exchange::~Exchange() {
  if (stored_response != nullptr) stored_response->~StoredResponse();
  for (; made_bodies != nullptr; made_bodies = made_bodies->before) {
    made_bodies->body->~BodySource();
  }
}

Task<void> serve_exchange(Exchange& x) {
  Result<Verdict> verdict = Verdict::proceed;
  if (const auto routed = route(x); !routed) {
    verdict = fail(routed.error());
  } else {
    verdict = prepare_request(x);
    if (!x.backend && verdict && *verdict == Verdict::proceed) choose_group(x, *routed);
  }
  if (x.filters != nullptr && verdict && *verdict == Verdict::proceed) {
    verdict = x.filters->is_async() ? co_await x.filters->filter_request_async(x)
                                    : x.filters->filter_request(x);
  }
  if (!verdict) {
    x.deadline.end();
    x.error = verdict.error();
    co_return co_await write_error_page(x);
  }
  if (*verdict == Verdict::reply) co_return co_await write_answer(x, Origin::filter);
  x.backend->cells().requests.add();
  offer_upgrade(x);
  // What cannot be sent again need not be kept.
  if (!http::is_idempotent(x.request.method)) x.body.stop_keeping();
  auto result = co_await make_attempts(x);
  if (x.stored_response != nullptr) {
    const auto taken = co_await x.stored_response->over();
    x.bytes_sent = x.stored_response->bytes();
    if (result) result = taken;
  }
  x.deadline.end();
  if (result) co_return;
  x.error = result.error();
  x.sentence = sentence_for_log(x);
  const backend::ServerPool* server = x.attempts.last_server();
  auto& cells = server != nullptr ? server->backend_cells() : x.backend->cells();
  cells.errors.count(x.error.kind);
  if (x.progress != Progress::answered) co_await write_error_page(x);
}

}  // namespace weir::proxy
