#pragma once
// What an intermediary does to a request before anything else: it believes what trusted proxies say
// of the client, removes what others said, and says itself whom it speaks for (RFC 7239,
// X-Forwarded-*), names itself (Via, RFC 9110 7.6.3), counts Max-Forwards down (RFC 9110 7.6.2) and
// names the request.

#include <optional>

#include "proxy/http/exchange.h"

namespace weir::proxy {

// reply: it is answered here. Once routed, before the filters.
Result<Verdict> prepare_request(Exchange& x) noexcept;

// Who made the request, where a trusted proxy has connected; nullopt: it does not say.
std::optional<net::PeerAddress> find_client(const http::FieldList& fields,
                                            const Listener& listener) noexcept;

// Via of a response.
[[nodiscard]] bool add_via(Exchange& x, http::FieldList& fields, http::Version received) noexcept;

}  // namespace weir::proxy
