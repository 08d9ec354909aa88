#pragma once
// What a configuration says of how host names are resolved.

#include <chrono>
#include <vector>

#include "base/time.h"
#include "config/description.h"
#include "discovery/name_server.h"

namespace weir::discovery {

using namespace std::chrono_literals;

struct ResolverSettings {
  config::Position position;
  std::vector<NameServer> servers;  // empty: those of /etc/resolv.conf
  Duration timeout = 1s;
  std::uint32_t attempts = 3;
  Duration min_ttl = 1s;
  Duration max_ttl = 1h;
  Duration hold_nx = 30s;
};

template <class V>
void describe(V& v, ResolverSettings& s) {
  v.field("servers", s.servers,
          "Name servers, asked in this order. Without a port, 53. Without any, those of "
          "/etc/resolv.conf, as it is when the configuration comes into force.")
      .size(0, 16);
  v.field("timeout", s.timeout,
          "How long a name server may take to answer; doubled with each further attempt.")
      .range(10ms, 1min);
  v.field("attempts", s.attempts, "How often each name server is asked before a question fails.")
      .range(1, 10);
  v.field("min_ttl", s.min_ttl, "A name is asked for again no sooner, however short its TTL.")
      .range(100ms, 24h);
  v.field("max_ttl", s.max_ttl, "A name is asked for again no later, however long its TTL.")
      .range(100ms, 168h);
  v.field("hold_nx", s.hold_nx,
          "How long the last good addresses stay in use once the name servers say that there are "
          "none. When they fail to answer, the addresses stay for as long as that lasts.")
      .range(0s, 168h);
}

}  // namespace weir::discovery
