#include "proxy/http/store_request.h"

#include <coroutine>
#include <utility>

#include "proxy/http/exchange.h"
#include "proxy/http/relay.h"

namespace weir::proxy {
namespace {

// Awaits the end of a pump.
class Filling final : private BodyPump::Owner {
 public:
  Filling(Exchange& x, net::BodySink& to, std::uint64_t bytes_max) noexcept
      : pump_(x.proxy.worker(), x.body.source(), to,
              {.read = x.listener.timeouts.client_body, .bytes_max = bytes_max}, *this) {
    pump_.start();
  }
  Filling(const Filling&) = delete;

  bool await_ready() const noexcept { return pump_.is_over(); }
  void await_suspend(std::coroutine_handle<> task) noexcept { task_ = task; }
  Result<void> await_resume() const noexcept {
    if (pump_.failed() == BodyPump::Failed::none) return {};
    Error error = pump_.failure();
    if (error.kind == ErrorKind::timeout) error.kind = ErrorKind::client_body_timeout;
    return fail(error);
  }

 private:
  void on_pump_over(BodyPump& /*pump*/) noexcept override {
    if (task_) std::exchange(task_, nullptr).resume();
  }

  BodyPump pump_;
  std::coroutine_handle<> task_;
};

Task<Result<void>> tell_to_go_on(Exchange& x) {
  for (http::Field& field : x.request.fields) {
    if (field.id != http::FieldId::expect) continue;
    field = http::kRemovedField;
    if (x.request.version == http::Version::http_1_0) continue;
    http::ResponseHead head;
    head.status = 100;
    head.reason = "Continue";
    WEIR_CO_TRY(co_await x.client.write_head(
        head, net::BodyFollows::no, x.proxy.worker().now() + x.listener.timeouts.client_body));
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> store_request_body(Exchange& x, const BodyStore& store) {
  const auto& body_bytes = x.listener.limits.body_bytes;
  const bool is_known = x.request.body.framing == http::Framing::length;
  const std::uint64_t bytes_max = body_bytes ? body_bytes->value : UINT64_MAX;
  if (is_known && x.request.body.bytes > store.memory + store.disk) {
    co_return fail(ErrorKind::body_too_large, Side::client);
  }
  auto* const stored = x.make_body<StoredBody>(x.proxy.body_files(), x.arena, store, Keep::always);
  if (stored == nullptr) co_return fail(ErrorKind::buffers_exhausted, Side::weir);
  WEIR_CO_TRY(co_await tell_to_go_on(x));
  WEIR_CO_TRY(co_await Filling(x, *stored, bytes_max));
  x.body.read_from(*stored);
  if (stored->trailers().size() == 0) {
    x.request.body = {.framing = http::Framing::length, .bytes = stored->size()};
  }
  co_return Result<void>();
}

}  // namespace weir::proxy
