// Clients and servers that do anything at any time, by seed. What must hold is what the fixture
// asks at the end: no connection, lease or buffer is left, and nothing was used after its end.

#include <gtest/gtest.h>

#include "base/random.h"
#include "proxy/http/exchange.h"
#include "proxy/proxy_test_support.h"
#include "proxy/tcp/serve_tcp_connection.h"

namespace weir::proxy {
namespace {

using test::FakeServer;
using test::Peer;
using namespace std::chrono_literals;

constexpr std::string_view kRequests[] = {
    "GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    "HEAD /b HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /c HTTP/1.0\r\n\r\n",
    "POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world",
    "PUT /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
    "GET /g HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "BAD\r\n\r\n",
};
constexpr std::string_view kResponses[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nto the end",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "nonsense\r\n\r\n",
};

// One end of a connection and what it still means to say.
struct Actor {
  Peer peer;
  std::string to_say;
};

class StormTest : public test::ProxyFixture, public testing::WithParamInterface<std::uint64_t> {
 protected:
  explicit StormTest(ProxyWorker::Serve serve) : ProxyFixture(serve) {
    listener_.timeouts.client_head = 5ms;
    listener_.timeouts.client_body = 5ms;
    listener_.timeouts.keep_alive = 5ms;
    listener_.timeouts.tunnel_idle = 5ms;
    backend_.timeouts.response_head = 5ms;
    backend_.timeouts.server_body = 5ms;
    backend_.pool.idle_timeout = 5ms;
    backend_.pool.idle_max = 2;
    backend_.refused_pause = 1ms;
  }

  void act(Actor& actor, std::span<const std::string_view> texts) {
    switch (random_.below(12)) {
      case 0:
        return actor.peer.close();
      case 1:
        return actor.peer.reset();
      case 2:
        ::shutdown(actor.peer.fd(), SHUT_WR);
        return;
      case 3:
        actor.to_say = std::string(100'000, 'x');
        return;
      default:
        break;
    }
    actor.peer.read();
    if (actor.to_say.empty()) {
      actor.to_say = texts[random_.below(static_cast<std::uint32_t>(texts.size()))];
    }
    const std::size_t wanted = random_.below(4) == 0 ? 1 + random_.below(20) : SIZE_MAX;
    const std::string_view piece = std::string_view(actor.to_say).substr(0, wanted);
    actor.to_say.erase(0, actor.peer.try_send(piece));
  }
  void rage() {
    FakeServer one;
    FakeServer two;
    const test::ClosedPort closed;
    add_server(one.address, "1");
    add_server(two.address, "2");
    add_server(closed.address, "3");
    start(8);
    std::vector<Actor> clients;
    std::vector<Actor> servers;
    for (int step = 0; step < 1000; ++step) {
      if (clients.size() < 10) clients.push_back({connect(), {}});
      for (FakeServer* server : {&one, &two}) {
        server->accept_all();
        for (Peer& peer : server->peers) servers.push_back({std::move(peer), {}});
        server->peers.clear();
      }
      const auto some = [&](std::vector<Actor>& actors, std::span<const std::string_view> texts) {
        if (actors.empty()) return;
        const std::size_t at = random_.below(static_cast<std::uint32_t>(actors.size()));
        act(actors[at], texts);
        if (!actors[at].peer.is_open() || actors[at].peer.is_over()) {
          actors.erase(actors.begin() + static_cast<std::ptrdiff_t>(at));
        }
      };
      some(clients, kRequests);
      some(servers, kResponses);
      worker_.turn_a_little();
      for (auto bytes = log_.front(); !bytes.empty(); bytes = log_.front()) log_.pop();
    }
    if (random_.below(2) == 0) proxy_->drain();
  }

  Random random_{GetParam()};
};

class HttpStormTest : public StormTest {
 protected:
  HttpStormTest() : StormTest(&serve_http_connection) {}
};
class TcpStormTest : public StormTest {
 protected:
  TcpStormTest() : StormTest(&serve_tcp_connection) { listener_.protocol = Protocol::tcp; }
};

TEST_P(HttpStormTest, LeavesNothingBehind) { rage(); }
TEST_P(TcpStormTest, LeavesNothingBehind) { rage(); }

INSTANTIATE_TEST_SUITE_P(Seeds, HttpStormTest, testing::Range<std::uint64_t>(0, 10));
INSTANTIATE_TEST_SUITE_P(Seeds, TcpStormTest, testing::Range<std::uint64_t>(0, 3));

}  // namespace
}  // namespace weir::proxy
