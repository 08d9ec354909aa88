#pragma once
// An HTTP/1.1 connection that becomes a tunnel (RFC 9110 7.8): WebSocket (RFC 6455 4). No other
// protocol is passed on: behind an upgrade to HTTP/2, say, requests would reach the server unseen.

#include "proxy/http/exchange.h"

namespace weir::proxy {

// Before the first attempt: has the request ask the server for the upgrade, if the client asks for
// one that may be passed on.
void offer_upgrade(Exchange& x) noexcept;

// x.response is a 101, and the request is sent to its end: passes it on, and then bytes both ways
// until either side ends. The server's stream is to be closed afterwards, with its connection.
Task<Result<void>> run_upgrade(Exchange& x, net::ServerSideStream& server);

}  // namespace weir::proxy
