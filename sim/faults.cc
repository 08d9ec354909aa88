#include "sim/faults.h"

namespace weir::sim {

using namespace std::chrono_literals;

Duration Faults::a_while() {
  Random& random = network_.random();
  const Duration most = random.below(3) == 0 ? Duration(8s) : Duration(500ms);
  return 1ms + Duration(random.below(1000) * (most.count() / 1000));
}

void Faults::plan(int count, TimePoint until) {
  const Duration span = until - network_.now();
  for (int i = 0; i < count; ++i) {
    network_.after(Duration(network_.random().below(1000) * (span.count() / 1000)),
                   [this] { strike(); });
  }
}

void Faults::crash_server(SimServer& server) {
  server.crash(network_.random().below(2) == 0 ? Crash::process : Crash::power);
  network_.after(a_while(), [&server] { server.come_back(); });
}

void Faults::strike() {
  Random& random = network_.random();
  SimServer& server = *servers_[random.below(static_cast<std::uint32_t>(servers_.size()))];
  const bool at_client = !client_hosts_.empty() && random.below(4) == 0;
  const HostId host =
      at_client ? client_hosts_[random.below(static_cast<std::uint32_t>(client_hosts_.size()))]
                : server.host();
  const TimePoint until = network_.now() + a_while();
  switch (random.below(5)) {
    case 0:
    case 1:
      if (server.is_up()) crash_server(server);
      break;
    case 2:
      if (server.is_up()) server.hang(until);
      break;
    case 3:
      network_.trace().line(network_.now(), "the link of {} is clogged", network_.name_of(host));
      network_.clog(weir_, host, until);
      break;
    case 4:
      network_.trace().line(network_.now(), "the link of {} is cut", network_.name_of(host));
      network_.cut(weir_, host, until);
      break;
  }
}

}  // namespace weir::sim
