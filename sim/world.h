#pragma once
// World: Weir as it is, in a simulated network, with clients and servers around it. One seed says
// what is configured, what the peers do, what fails, and in which order things happen. After the
// faults come calm and a drain, and then nothing may be left.

#include <memory>
#include <string>
#include <vector>

#include "base/log_ring.h"
#include "proxy/proxy_worker.h"
#include "sim/faults.h"
#include "sim/http_client.h"
#include "sim/http_server.h"
#include "sim/mux_client.h"
#include "sim/sim_reactor.h"
#include "sim/tunnels.h"

namespace weir::sim {

class World {
 public:
  World(std::uint64_t seed, Trace& trace);
  World(const World&) = delete;

  // Runs to the end, or until something is wrong, or for so many steps. What was wrong; empty:
  // nothing. A world that did not come to its end cannot be destroyed: its tasks still run.
  std::string run(std::uint64_t steps_max = UINT64_MAX);

  const Ledger& ledger() const noexcept { return ledger_; }
  const TunnelLedger& tunnels() const noexcept { return tunnels_; }
  std::uint64_t steps() const noexcept { return steps_; }
  // The configuration that Weir runs with.
  const std::string& configuration() const noexcept { return configuration_; }

 private:
  // One of Weir's workers, with what its thread would have.
  struct SimWorker {
    SimWorker(World& world, std::uint32_t index);
    // Puts the first snapshot into force.
    void listen(const std::shared_ptr<const proxy::Snapshot>& snapshot, Random& random);
    SimReactor* reactor;  // owned by the worker
    std::unique_ptr<Worker> worker;
    LogRing access_log{64 * 1024};
    std::unique_ptr<proxy::ProxyWorker> proxy;
    TimePoint free_at{};
    std::size_t buffers_at_rest = 0;
  };

  bool chance(std::uint32_t permille) noexcept { return network_.random().below(1000) < permille; }
  Duration up_to(Duration most) noexcept;
  void draw_limits();
  void write_configuration();
  std::string web_backend();
  std::string db_backend();
  void compile_configuration();
  HostId add_server_host(ServerGroup& group, std::string name);
  HostId add_client_host(std::string name);
  void make_servers();
  void make_workers();
  void plan_clients();
  void plan_http_clients(Duration span);
  void plan_mux_clients(Duration span);
  void plan_tcp_clients(Duration span);
  void step();
  void run_while(bool (World::*goes_on)() const, TimePoint until);
  void fail(std::string what) { ledger_.violate(std::move(what)); }
  bool may_go_on() const noexcept { return ledger_.violation().empty() && steps_ < steps_max_; }
  void stop();
  void retire(SimWorker& worker);
  void turn(SimWorker& worker);
  void read_access_log(SimWorker& worker);
  void check();
  std::size_t count_leases() const noexcept;
  void check_pools();
  bool is_busy() const;
  bool is_draining() const;

  Network network_;
  HostId weir_;
  ServerGroup web_;
  ServerGroup db_;
  std::uint32_t attempts_max_;
  Ledger ledger_;
  TunnelLedger tunnels_;
  std::string configuration_;
  std::uint32_t worker_count_;
  std::size_t web_count_;
  std::size_t db_count_;
  std::uint32_t idle_max_;
  // What each worker has.
  std::size_t buffer_bytes_max_ = std::size_t{64} << 20;
  std::size_t descriptors_max_ = SIZE_MAX;
  std::uint32_t connections_max_ = 1000;
  std::shared_ptr<const proxy::Snapshot> snapshot_;
  std::unique_ptr<stats::Registry> registry_;
  std::unique_ptr<proxy::ProxyShared> shared_;
  std::vector<std::unique_ptr<HttpServer>> web_servers_;
  std::vector<std::unique_ptr<TcpServer>> db_servers_;
  std::vector<SimServer*> servers_;  // all of them
  std::vector<std::unique_ptr<HttpClient>> http_clients_;
  std::vector<std::unique_ptr<MuxClient>> mux_clients_;
  std::vector<std::unique_ptr<TcpClient>> tcp_clients_;
  std::size_t clients_planned_ = 0;
  bool has_loss_ = false;
  std::unique_ptr<Faults> faults_;
  std::vector<std::unique_ptr<SimWorker>> workers_;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_max_ = UINT64_MAX;
};

}  // namespace weir::sim
