#include "proxy/http/store_request.h"

#include <coroutine>
#include <utility>

#include "proxy/http/exchange.h"
#include "proxy/http/relay.h"

namespace weir::proxy {
namespace {

// Awaits the end of a pump. Cancelling the exchange ends it.
class Filling final : private BodyPump::Owner, private net::Abortable, private Deferred {
 public:
  Filling(Exchange& x, StoredBody& to, std::uint64_t bytes_max) noexcept
      : Deferred([](Deferred& self) noexcept { static_cast<Filling&>(self).cancel(); }),
        worker_(x.proxy.worker()),
        slot_(x.connection.server_side),
        from_(x.body.source()),
        to_(to),
        pump_(worker_, from_, to, {.read = x.timeouts.client_body, .bytes_max = bytes_max}, *this) {
    pump_.start();
    slot_.hold(*this);
  }
  Filling(const Filling&) = delete;
  ~Filling() { slot_.let_go(); }

  bool await_ready() const noexcept { return pump_.is_over(); }
  void await_suspend(std::coroutine_handle<> task) noexcept { task_ = task; }
  Result<void> await_resume() const noexcept {
    if (pump_.failed() == BodyPump::Failed::none) return {};
    if (slot_.is_canceled()) return fail(slot_.reason());
    Error error = pump_.failure();
    if (error.kind == ErrorKind::timeout) error.kind = ErrorKind::client_body_timeout;
    return fail(error);
  }

 private:
  void on_pump_over(BodyPump& /*pump*/) noexcept override {
    if (task_) std::exchange(task_, nullptr).resume();
  }

  // Whoever cancels does not expect the task to run on within the call.
  void abort(Error /*reason*/) noexcept override { worker_.defer(*this); }
  void cancel() noexcept {
    if (pump_.is_over()) return;
    to_.stop(slot_.reason());
    from_.cancel_body_readable();  // after which this may be gone
  }

  Worker& worker_;
  net::CancelSlot& slot_;
  net::BodySource& from_;
  StoredBody& to_;
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
    WEIR_CO_TRY(co_await x.client.write_head(head, net::BodyFollows::no,
                                             x.proxy.worker().now() + x.timeouts.client_body));
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
  const auto filled = co_await Filling(x, *stored, bytes_max);
  x.bytes_received = stored->size();
  if (!filled) co_return filled;
  x.body.read_from(*stored);
  if (stored->trailers().size() == 0) {
    x.request.body = {.framing = http::Framing::length, .bytes = stored->size()};
  }
  co_return Result<void>();
}

}  // namespace weir::proxy
