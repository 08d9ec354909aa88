// Lines of a log format with values, of whole exchanges.

#include <string>

#include "proxy/http/serve_http_test_support.h"

namespace weir::proxy {
namespace {

using test::FakeServer;
using test::kGet;
using test::kOk;
using test::Peer;

class LogLineTest : public test::HttpFixture {
 protected:
  std::string line_of_exchange(std::string_view request, std::string_view response) {
    FakeServer server;
    start_with(server);
    Peer client = connect_and_send(request);
    Peer& peer = accept(server);
    EXPECT_TRUE(receives(peer, "\r\n\r\n"));
    peer.send(response);
    return logged_line();
  }
};

TEST_F(LogLineTest, SaysWhatItsFormatNames) {
  set_log_format(
      "${client.address} - ${request.method} ${request.target} ${request.version} - "
      "${response.status} ${response.body_bytes} ${backend.name}/${server.name} ${attempts} "
      "${reason}");
  EXPECT_EQ(line_of_exchange("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n", kOk),
            "127.0.0.1 - GET /a?b HTTP/1.1 - 200 2 b/s 1 -");
}

TEST_F(LogLineTest, HasFieldsOfAResponseWhoseConnectionIsGone) {
  set_log_format(
      "${response.header.x-one}|${response.header.X-Two}|${response.header.x-none}|"
      "${response.header.x-one}");
  EXPECT_EQ(line_of_exchange(kGet,
                             "HTTP/1.1 200 OK\r\nX-One: 1\r\nX-Two: \"two\"\r\nx-one: 3\r\n"
                             "Connection: close\r\nContent-Length: 4\r\n\r\nbody"),
            "1|\\x22two\\x22|-|1");
}

TEST_F(LogLineTest, HasNoFieldsOfAResponseThatTheClientDidNotGet) {
  set_log_format("${response.status} ${response.header.x-one} ${reason}");
  EXPECT_EQ(line_of_exchange(kGet, "HTTP/1.1 101 Switching\r\nX-One: 1\r\n\r\n"),
            "502 - bad_response");
}

TEST_F(LogLineTest, HasDashesForARequestThatCouldNotBeRead) {
  set_log_format("${request.method} ${request.header.host} ${response.status} ${reason}");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send("nonsense\r\n\r\n");
  EXPECT_EQ(logged_line(), "- - 400 bad_request");
}

TEST_F(LogLineTest, IsCutAndCountedIfTooLong) {
  set_log_format("${request.header.a}${request.header.a} end");
  const std::string value(5000, 'x');
  const std::string line =
      line_of_exchange("GET / HTTP/1.1\r\nHost: x\r\nA: " + value + "\r\n\r\n", kOk);
  EXPECT_EQ(line, (value + value).substr(0, kLogLineBytesMax - 3) + "...");
  EXPECT_EQ(proxy_->cells().log_lines_cut.read(), 1u);
  EXPECT_EQ(proxy_->cells().log_records_dropped.read(), 0u);
}

TEST_F(LogLineTest, IsOfTheFormatInForceWhenTheRequestCame) {
  set_log_format("before ${response.status}");
  FakeServer server;
  start_with(server);
  Peer client = connect_and_send(kGet);
  Peer& peer = accept(server);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  set_log_format("after ${response.status}");
  reload();
  peer.send(kOk);
  EXPECT_EQ(logged_line(), "before 200");
  ASSERT_TRUE(receives(client, "ok"));
  peer.in.clear();
  client.send(kGet);
  ASSERT_TRUE(receives(peer, "\r\n\r\n"));
  peer.send(kOk);
  EXPECT_EQ(logged_line(), "after 200");
}

}  // namespace
}  // namespace weir::proxy
