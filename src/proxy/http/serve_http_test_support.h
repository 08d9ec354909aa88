#pragma once
// What the tests of whole HTTP connections share.

#include <string_view>

#include "proxy/http/exchange.h"
#include "proxy/proxy_test_support.h"

namespace weir::proxy::test {

inline constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

inline Serve serve_http(const Listener&) { return &serve_http_connection; }

class HttpFixture : public ProxyFixture {
 protected:
  HttpFixture() : ProxyFixture(Protocol::http, &serve_http) {}
};

}  // namespace weir::proxy::test
