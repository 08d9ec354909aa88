#include "proxy/http/stored_response.h"

#include <utility>

#include "proxy/http/exchange.h"

namespace weir::proxy {

StoredResponse* StoredResponse::make(Exchange& x, const BodyStore& store) noexcept {
  return x.arena.construct<StoredResponse>(x, store);
}

StoredResponse::StoredResponse(Exchange& x, const BodyStore& store) noexcept
    : x_(x),
      body_(x.proxy.body_files(), x.arena, store, Keep::until_read),
      to_client_(x.proxy.worker(), body_, x.client, {.write = x.timeouts.client_body}, *this) {}

Result<void> StoredResponse::result() const noexcept {
  if (to_client_.failed() == BodyPump::Failed::none) return {};
  const net::CancelSlot& server_side = x_.connection.server_side;
  if (server_side.is_canceled()) return fail(server_side.reason());
  Error error = to_client_.failure();
  if (error.kind == ErrorKind::timeout) error.kind = ErrorKind::client_write_timeout;
  return fail(error);
}

void StoredResponse::on_pump_over(BodyPump& /*pump*/) noexcept {
  if (const auto taken = result(); !taken && !body_.is_complete()) {
    body_.stop(taken.error());
    x_.connection.server_side.cancel(taken.error());
  }
  if (task_) std::exchange(task_, nullptr).resume();
}

}  // namespace weir::proxy
