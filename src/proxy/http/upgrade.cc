#include "proxy/http/upgrade.h"

#include "net/tunnel.h"
#include "protocol/http/forwarded.h"

namespace weir::proxy {
namespace {

constexpr std::string_view kWebSocket = "websocket";

// The field, if it is the only one of its kind.
http::Field* find_only(http::FieldList& fields, http::FieldId id) noexcept {
  http::Field* found = nullptr;
  for (http::Field& field : fields) {
    if (field.id != id) continue;
    if (found != nullptr) return nullptr;
    found = &field;
  }
  return found;
}

bool has_option(std::string_view list, std::string_view option) noexcept {
  http::ListReader members(list);
  while (const auto member = members.next()) {
    if (http::equals_ignoring_case(*member, option)) return true;
  }
  return false;
}

// Lets Connection and Upgrade pass, with what Weir means by them.
bool let_pass(http::FieldList& fields) noexcept {
  http::Field* upgrade = find_only(fields, http::FieldId::upgrade);
  if (upgrade == nullptr) return false;
  http::Field* connection = find_only(fields, http::FieldId::connection);
  if (connection == nullptr) return false;
  if (!has_option(connection->value, "upgrade")) return false;
  if (!http::equals_ignoring_case(upgrade->value, kWebSocket)) return false;
  connection->value = "upgrade";
  connection->scope = upgrade->scope = http::Scope::end_to_end;
  return true;
}

}  // namespace

void offer_upgrade(Exchange& x) noexcept {
  const bool may_be_asked = x.request.method == http::Method::get &&
                            x.request.version == http::Version::http_1_1 &&
                            x.client.raw() != nullptr;
  x.offers_upgrade = may_be_asked && let_pass(x.request.fields);
}

Task<Result<void>> run_upgrade(Exchange& x, net::ServerSideStream& server) {
  Worker& worker = x.proxy.worker();
  // A server may only switch to what was asked for, and only on a connection without others.
  if (!x.offers_upgrade || server.raw() == nullptr || !let_pass(x.response.fields)) {
    co_return fail(ErrorKind::bad_response, Side::server);
  }
  if (x.filters != nullptr) {
    WEIR_CO_TRY(x.filters->filter_response(x, x.response, Origin::server));
  }
  x.status = x.response.status;
  x.progress = Progress::answered;
  WEIR_CO_TRY(co_await x.client.write_head(x.response, net::BodyFollows::no,
                                           worker.now() + x.timeouts.client_body));
  // From here on the tunnel alone uses the streams, and no configuration is needed any more.
  x.deadline.end();
  x.client.stop_watching();
  x.backend.reset();
  net::Tunnel tunnel(worker, *x.client.raw(), *server.raw(), x.listener.timeouts.tunnel_idle);
  if (!tunnel.put_first(x.client.received(), server.received())) {
    co_return fail(ErrorKind::buffers_exhausted, Side::weir);
  }
  const net::TunnelOutcome outcome = co_await tunnel.run();
  x.bytes_sent = outcome.bytes_from_server;
  x.bytes_received = x.body.received() + outcome.bytes_from_client;
  if (outcome.error.kind != ErrorKind::none) co_return fail(outcome.error);
  co_return Result<void>();
}

}  // namespace weir::proxy
