// Lines of a log format with values, of tunnels.

#include "proxy/proxy_test_support.h"
#include "proxy/tcp/serve_tcp_connection.h"

namespace weir::proxy {
namespace {

using test::ClosedPort;
using test::FakeServer;
using test::Peer;

class TunnelLineTest : public test::ProxyFixture {
 protected:
  TunnelLineTest()
      : ProxyFixture(Protocol::tcp,
                     [](const Listener&) -> Serve { return &serve_tcp_connection; }) {
    set_log_format(
        "${client.address} ${listener.name} ${server.name} ${attempts} "
        "${request.body_bytes} ${response.body_bytes} ${reason} ${request.method} "
        "${request.header.host} ${response.status} ${response.header.date}");
  }
};

TEST_F(TunnelLineTest, HasDashesForWhatATunnelHasNot) {
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("hello");
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "hello"));
  peer.send("hi");
  peer.shutdown_write();
  ASSERT_TRUE(receives(client, "hi"));
  client.shutdown_write();
  EXPECT_EQ(logged_line(), "127.0.0.1 l s 1 5 2 - - - - -");
}

TEST_F(TunnelLineTest, NamesTheReasonOfAFailure) {
  const ClosedPort nobody;
  backend_.retry.attempts = 1;
  add_server(nobody.address);
  start();
  Peer client = connect();
  EXPECT_EQ(logged_line(), "127.0.0.1 l s 1 0 0 connect_refused - - - -");
}

}  // namespace
}  // namespace weir::proxy
