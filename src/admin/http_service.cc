#include "admin/http_service.h"

#include <array>
#include <cerrno>
#include <fmt/format.h>

#include "base/arena.h"
#include "net/http/http1_stream.h"
#include "net/linger.h"
#include "net/listening_socket.h"
#include "net/socket_stream.h"
#include "protocol/http/date.h"
#include "protocol/http1/rule.h"

namespace weir::admin {
namespace {

using namespace std::chrono_literals;

constexpr http1::HeadLimits kHeadLimits{.head_bytes = HttpService::kHeadBytesMax, .fields = 64};
// Each for the whole of it, so that nobody holds a connection by going slowly.
constexpr Duration kHeadTimeout = 10s;
constexpr Duration kBodyTimeout = 10s;
constexpr Duration kAnswerTimeout = 30s;
constexpr Duration kIdleTimeout = 75s;
// How long accepting rests when the process has no descriptor left: nobody tells when there is one.
constexpr Duration kRetryAfter = 100ms;

HttpAnswer answer_to(const Error& error) {
  const std::uint16_t status = row_of(error.kind).http_status;
  HttpAnswer answer;
  answer.status = status;
  answer.body = fmt::format("{} {}\n", status, http::reason_phrase(status));
  const http1::Rule rule = http1::find_rule(error);
  if (rule != http1::Rule::none) answer.body.append(http1::row_of(rule).sentence).append("\n");
  return answer;
}

}  // namespace

// One client: requests one after the other, until somebody wants to close.
class HttpService::Connection : public Link {
 public:
  Connection(HttpService& service, Socket& socket) noexcept
      : service_(service),
        worker_(service.worker_),
        stream_(worker_, socket, Side::client),
        http_(worker_, stream_, kHeadLimits) {
    service_.open_.push_back(*this);
  }

  Task<void> serve();
  bool is_idle() const noexcept { return idle_; }
  void abort() noexcept { stream_.abort(make_error(ErrorKind::shutting_down, Side::weir)); }

 private:
  enum class Next : std::uint8_t { request, linger, close };
  Task<Next> serve_request();
  Task<Result<void>> receive(http::RequestHead& head, std::string& body, Arena& arena);
  Task<Result<void>> send_continue();
  Task<Result<void>> receive_body(std::string& body);
  Task<Result<void>> send(const HttpAnswer& answer, http::Method method);

  HttpService& service_;
  Worker& worker_;
  net::SocketStream stream_;
  net::Http1ClientSide http_;
  bool idle_ = false;
};

Task<void> HttpService::Connection::serve() {
  Duration wait = kHeadTimeout;
  for (;;) {
    idle_ = true;
    if (!co_await http_.request_begun(worker_.now() + wait)) co_return;
    idle_ = false;
    switch (co_await serve_request()) {
      case Next::request:
        break;
      case Next::linger:
        co_await net::linger(worker_, stream_);
        co_return;
      case Next::close:
        co_return;
    }
    wait = kIdleTimeout;
  }
}

Task<HttpService::Connection::Next> HttpService::Connection::serve_request() {
  Arena arena(worker_.buffers());
  http::RequestHead head;
  std::string body;
  const Result<void> received = co_await receive(head, body, arena);
  HttpAnswer answer;
  if (received) {
    const HttpRequest request{.head = head, .body = body};
    answer = co_await service_.handler_.answer(request);
  } else {
    if (row_of(received.error().kind).http_status == 0) co_return Next::close;
    answer = answer_to(received.error());
  }
  const http::Method method = received ? head.method : http::Method::get;
  if (!co_await send(answer, method)) co_return Next::close;
  if (received && http_.is_reusable() && !service_.stopping_) {
    http_.finish_exchange();
    co_return Next::request;
  }
  const bool may_have_more = !received || !http_.is_body_read() || http_.has_pipelined();
  co_return may_have_more ? Next::linger : Next::close;
}

Task<Result<void>> HttpService::Connection::receive(http::RequestHead& head, std::string& body,
                                                    Arena& arena) {
  WEIR_CO_TRY(co_await http_.read_head(head, arena, worker_.now() + kHeadTimeout));
  if (http_.is_body_read()) co_return Result<void>();
  if (head.body.framing == http::Framing::length && head.body.bytes > kBodyBytesMax) {
    co_return fail(ErrorKind::body_too_large, Side::client);
  }
  const http::Field* expect = head.fields.find(http::FieldId::expect);
  if (expect != nullptr && head.version == http::Version::http_1_1 &&
      http::equals_ignoring_case(expect->value, "100-continue")) {
    WEIR_CO_TRY(co_await send_continue());
  }
  co_return co_await receive_body(body);
}

Task<Result<void>> HttpService::Connection::send_continue() {
  http::ResponseHead head;
  head.status = 100;
  head.reason = http::reason_phrase(head.status);
  co_return co_await http_.write_head(head, net::BodyFollows::no, worker_.now() + kAnswerTimeout);
}

Task<Result<void>> HttpService::Connection::receive_body(std::string& body) {
  const TimePoint deadline = worker_.now() + kBodyTimeout;
  while (!http_.is_body_read()) {
    const net::BodyRead read = http_.try_read_body(worker_.shared_buffer());
    switch (read.status) {
      case net::BodyRead::Status::failed:
        co_return fail(read.error);
      case net::BodyRead::Status::would_block: {
        const auto readable = co_await stream_.readable(deadline);
        if (readable) break;
        if (readable.error().kind != ErrorKind::timeout) co_return fail(readable.error());
        co_return fail(ErrorKind::client_body_timeout, Side::client);
      }
      case net::BodyRead::Status::data:
        if (body.size() + read.data.size() > kBodyBytesMax) {
          co_return fail(ErrorKind::body_too_large, Side::client);
        }
        body.append(read.data);
    }
  }
  co_return Result<void>();
}

Task<Result<void>> HttpService::Connection::send(const HttpAnswer& answer, http::Method method) {
  std::array<char, http::kDateBytes> date_space;
  const std::string_view date = http::write_date(worker_.reactor().wall_now(), date_space);
  std::array<http::Field, 3 + kAnswerFieldsMax> fields;
  http::ResponseHead head;
  head.status = answer.status;
  head.reason = http::reason_phrase(answer.status);
  head.fields = http::FieldList(fields);
  head.body = {http::Framing::length, answer.body.size()};
  const auto add = [&head](std::string_view name, std::string_view value) {
    const bool added = head.fields.add({.name = name, .value = value});
    WEIR_ASSERT(added);
    static_cast<void>(added);
  };
  add("Date", date);
  add("Content-Type", answer.content_type);
  add("Cache-Control", "no-store");
  for (const HttpAnswer::Field& field : answer.fields) add(field.name, field.value);
  if (!http_.is_body_read() || service_.stopping_) head.persistence = http::Persistence::close;

  const TimePoint deadline = worker_.now() + kAnswerTimeout;
  if (method == http::Method::head) {
    co_return co_await http_.write_head(head, net::BodyFollows::no, deadline);
  }
  WEIR_CO_TRY(co_await http_.write_head(head, net::BodyFollows::yes, deadline));
  for (std::string_view rest = answer.body;;) {
    const net::BodyWrite written = http_.try_write_body(rest, net::BodyEnd::last);
    if (written.status == net::BodyWrite::Status::done) co_return Result<void>();
    if (written.status == net::BodyWrite::Status::failed) co_return fail(written.error);
    rest.remove_prefix(written.taken);
    WEIR_CO_TRY(co_await stream_.writable(deadline));
  }
}

HttpService::Accept::Accept(HttpService& owner) noexcept
    : AcceptOperation(
          [](AcceptOperation& self, Fd connection, const sockaddr_storage&) noexcept {
            static_cast<Accept&>(self).service.on_accepted(std::move(connection));
          },
          [](Operation& self) noexcept {
            static_cast<Accept&>(self).service.on_accept_end(self.os_error());
          }),
      service(owner) {}

HttpService::Retry::Retry(HttpService& owner) noexcept
    : Timer([](Timer& self) noexcept { static_cast<Retry&>(self).service.on_room(); }),
      service(owner) {}

HttpService::Close::Close(HttpService& owner) noexcept
    : Deferred([](Deferred& self) noexcept {
        static_cast<Close&>(self).service.close_when_queue_is_empty();
      }),
      service(owner) {}

HttpService::HttpService(Worker& worker, HttpHandler& handler) noexcept
    : worker_(worker), handler_(handler), accept_(*this), retry_(*this), close_(*this) {}

HttpService::~HttpService() { WEIR_ASSERT(is_stopped()); }

void HttpService::listen(Socket& socket) noexcept {
  WEIR_ASSERT(socket_ == nullptr && !stopping_);
  socket_ = &socket;
  start_accepting();
}

void HttpService::start_accepting() noexcept {
  const Started started = worker_.reactor().start_accept(*socket_, accept_);
  if (started == Started::completed) on_accept_end(accept_.os_error());
}

void HttpService::on_accepted(Fd connection) noexcept {
  accepted_this_turn_ = true;
  scope_.spawn(&serve_connection, std::ref(*this),
               std::ref(worker_.reactor().adopt(std::move(connection))));
  if (scope_.running() >= kConnectionsMax) worker_.reactor().cancel(*socket_, accept_);
}

void HttpService::on_accept_end(int os_error) noexcept {
  if (os_error != ECANCELED) retry_.arm(worker_.timers(), worker_.now() + kRetryAfter);
}

void HttpService::on_room() noexcept {
  if (socket_ == nullptr || accept_.is_pending()) return;
  retry_.disarm();
  start_accepting();
}

Task<void> HttpService::serve_connection(HttpService& service, Socket& socket) {
  {
    Connection connection(service, socket);
    co_await connection.serve();
  }
  service.on_room();
}

void HttpService::stop() noexcept {
  if (stopping_) return;
  stopping_ = true;
  if (socket_ != nullptr) {
    accepted_this_turn_ = true;
    net::hold_off_new_connections(socket_->fd());
    worker_.defer(close_);
  }
  open_.for_each([](Connection& connection) {
    if (connection.is_idle()) connection.abort();
  });
}

// A whole turn of the reactor lies between two calls, and a listening socket with a queue is
// reported in it. Whom there is no room for is reset.
void HttpService::close_when_queue_is_empty() noexcept {
  if (!accepted_this_turn_ || !accept_.is_pending()) return close_listening_socket();
  accepted_this_turn_ = false;
  worker_.defer(close_);
}

void HttpService::close_listening_socket() noexcept {
  close_.unlink();
  retry_.disarm();
  if (accept_.is_pending()) worker_.reactor().cancel(*socket_, accept_);
  worker_.reactor().close(*std::exchange(socket_, nullptr));
}

void HttpService::abort() noexcept {
  stop();
  if (socket_ != nullptr) close_listening_socket();
  open_.for_each([](Connection& connection) { connection.abort(); });
}

}  // namespace weir::admin
