#pragma once
// An exchange whose request has come over a real connection, for tests that look at it or fill it
// in; nothing is sent on or answered.

#include <functional>
#include <string_view>

#include "net/http/http1_stream.h"
#include "proxy/http/exchange.h"
#include "proxy/proxy_test_support.h"

namespace weir::proxy::test {

class ExchangeFixture : public ProxyFixture {
 protected:
  ExchangeFixture() : ProxyFixture(Protocol::http, &serve_of) {}

  void with_exchange(std::string_view request, const std::function<void(Exchange&)>& look) {
    if (proxy_ == nullptr) {
      if (backend_.servers.empty()) add_server(net::Address());
      start();
    }
    look_ = &look;
    const Peer client = connect_and_send(request);
    const bool has_looked = turn_until([] { return look_ == nullptr; });
    look_ = nullptr;
    ASSERT_TRUE(has_looked);
  }

 private:
  static Serve serve_of(const Listener& /*listener*/) { return &serve; }
  static Task<void> serve(ClientConnection& connection) {
    co_await look_at_one(connection);
    connection.worker.end_connection(connection);
  }
  static Task<void> look_at_one(ClientConnection& connection) {
    net::Http1ClientSide client(connection.worker.worker(), connection.stream, {});
    Exchange x(connection, client);
    const auto read = co_await client.read_head(x.request, x.arena, x.began + 10s);
    EXPECT_TRUE(read.has_value());
    (*look_)(x);
    look_ = nullptr;
  }

  inline static const std::function<void(Exchange&)>* look_ = nullptr;
};

}  // namespace weir::proxy::test
