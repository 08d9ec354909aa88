#include "sim/sim_worker.h"

#include "proxy/http/exchange.h"
#include "proxy/tcp/serve_tcp_connection.h"
#include "sim/mux_stream.h"

namespace weir::sim {
namespace {

proxy::Serve serve_of(const proxy::Listener& listener) {
  if (listener.name == "mux") return &serve_mux_connection;
  if (listener.protocol == proxy::Protocol::tcp) return &proxy::serve_tcp_connection;
  return &proxy::serve_http_connection;
}

}  // namespace

SimWorker::SimWorker(Network& network, HostId weir, proxy::ProxyShared& shared, std::uint32_t index,
                     const WorkerLimits& limits) {
  Random& random = network.random();
  auto buffers = std::make_unique<BufferPool>(limits.buffer_bytes_max);
  const ReactorHabits calm{0, 0, 0, 0, 0};
  auto made = std::make_unique<SimReactor>(network, weir, *buffers, random.next(),
                                           random.below(8) == 0 ? calm : ReactorHabits(),
                                           limits.descriptors_max);
  reactor = made.get();
  worker = std::make_unique<Worker>(index, std::move(buffers), std::move(made), random.next());
  buffers_at_rest = worker->buffers().bytes_in_use();
  proxy = std::make_unique<proxy::ProxyWorker>(*worker, shared, access_log,
                                               proxy::Protocols{&serve_of, server_connections},
                                               limits.connections_max);
}

}  // namespace weir::sim
