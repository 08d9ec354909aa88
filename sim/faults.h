#pragma once
// Faults: what goes wrong in the network and with the servers, drawn by lot over a span of time.
// Afterwards everything works again.

#include <vector>

#include "sim/network.h"
#include "sim/sim_server.h"

namespace weir::sim {

class Faults {
 public:
  Faults(Network& network, HostId weir, const std::vector<SimServer*>& servers) noexcept
      : network_(network), weir_(weir), servers_(servers) {}
  Faults(const Faults&) = delete;

  // Plans `count` faults between now and then. By `until` plus 10 s all is well again.
  void plan(int count, TimePoint until);
  // Hosts of clients, whose links fail as well.
  void add_client_host(HostId host) { client_hosts_.push_back(host); }

 private:
  void strike();
  void crash_server(SimServer& server);
  Duration a_while();

  Network& network_;
  HostId weir_;
  const std::vector<SimServer*>& servers_;
  std::vector<HostId> client_hosts_;
};

}  // namespace weir::sim
