#pragma once
// SimWorker: one of Weir's workers, with what its thread would have.

#include <memory>

#include "base/log_ring.h"
#include "proxy/proxy_worker.h"
#include "sim/mux_server_connection.h"
#include "sim/sim_reactor.h"

namespace weir::sim {

// What each worker has.
struct WorkerLimits {
  std::size_t buffer_bytes_max = std::size_t{64} << 20;
  std::size_t descriptors_max = SIZE_MAX;
  std::uint32_t connections_max = 1000;
};

struct SimWorker {
  SimWorker(Network& network, HostId weir, proxy::ProxyShared& shared, std::uint32_t index,
            const WorkerLimits& limits);

  // When it has something to do.
  TimePoint due() const noexcept { return std::max(reactor->due(), free_at); }

  SimReactor* reactor;  // owned by the worker
  std::unique_ptr<Worker> worker;
  LogRing access_log{64 * 1024};
  SimServerConnections server_connections;
  std::unique_ptr<proxy::ProxyWorker> proxy;  // null: it has ended
  TimePoint free_at{};
  std::size_t buffers_at_rest = 0;
};

}  // namespace weir::sim
