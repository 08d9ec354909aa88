#pragma once
// Clients and servers that do anything at any time, by seed. What must hold is what the fixture
// asks at the end: no connection, lease or buffer is left, and nothing was used after its end.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "proxy/proxy_test_support.h"

namespace weir::proxy::test {

// One end of a connection and what it still means to say.
struct Actor {
  Peer peer;
  std::string to_say;
};

class StormTest : public ProxyFixture, public testing::WithParamInterface<std::uint64_t> {
 protected:
  StormTest(Protocol protocol, ServeOf serve_of, std::span<const std::string_view> requests,
            std::span<const std::string_view> responses)
      : ProxyFixture(protocol, serve_of), requests_(requests), responses_(responses) {
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
    const ClosedPort closed;
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
      some(clients, requests_);
      some(servers, responses_);
      worker_.turn_a_little();
      for (auto bytes = log_.front(); !bytes.empty(); bytes = log_.front()) log_.pop();
    }
    if (random_.below(2) == 0) proxy_->drain();
  }

  std::span<const std::string_view> requests_;
  std::span<const std::string_view> responses_;
  Random random_{GetParam()};
};

}  // namespace weir::proxy::test
