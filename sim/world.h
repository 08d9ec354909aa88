#pragma once
// World: Weir as it is, in a simulated network, with clients and servers around it. One seed says
// what is configured, what the peers do, what fails, and in which order things happen. After the
// faults come calm and a drain, and then nothing may be left.

#include <memory>
#include <string>
#include <vector>

#include "sim/changes.h"
#include "sim/checks.h"
#include "sim/draft.h"
#include "sim/faults.h"
#include "sim/http_client.h"
#include "sim/http_server.h"
#include "sim/mux_client.h"
#include "sim/mux_server.h"
#include "sim/sim_jobs.h"
#include "sim/sim_worker.h"
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
  std::size_t changes_made() const noexcept { return changes_.made(); }
  // Requests and tunnels that had to wait for a server.
  std::uint64_t waits() const noexcept { return checks_.waits(); }
  std::uint64_t steps() const noexcept { return steps_; }
  // That a connection to a server has carried at a time.
  std::size_t streams_most() const noexcept;
  // The configuration that Weir begins with.
  const std::string& configuration() const noexcept { return configuration_; }

 private:
  bool chance(std::uint32_t permille) noexcept { return network_.random().below(1000) < permille; }
  Duration up_to(Duration most) noexcept;
  std::array<std::uint16_t, 5> draw_streams();
  void draw_limits();
  HostId add_server_host(ServerGroup& group, std::string name);
  HostId add_client_host(std::string name);
  void make_servers();
  void add_web_server(std::size_t index);
  void make_workers();
  void plan_clients();
  void plan_http_clients(Duration span);
  void plan_mux_clients(Duration span);
  void plan_tcp_clients(Duration span);
  void step();
  void run_while(bool (World::*goes_on)() const, TimePoint until);
  void fail(std::string what) { ledger_.violate(std::move(what)); }
  bool may_go_on() const noexcept { return ledger_.violation().empty() && steps_ < steps_max_; }
  void come_to_rest();
  void stop();
  void retire(SimWorker& worker);
  void turn(SimWorker& worker);
  void read_access_log(SimWorker& worker);
  bool is_busy() const;
  bool is_changing() const { return changes_.is_under_way(); }
  bool has_connections() const { return checks_.count_connections() != 0; }
  bool is_draining() const;

  Network network_;
  HostId weir_;
  ServerGroup web_;
  ServerGroup db_;
  Ledger ledger_;
  TunnelLedger tunnels_;
  std::uint32_t worker_count_;
  Members members_;
  Draft draft_;
  std::string configuration_;
  WorkerLimits limits_;
  stats::Registry registry_;
  SimJobs file_jobs_;
  proxy::ProxyShared shared_;
  std::vector<std::unique_ptr<SimServer>> web_servers_;
  std::vector<std::unique_ptr<TcpServer>> db_servers_;
  std::vector<SimServer*> servers_;  // all of them
  std::vector<std::unique_ptr<HttpClient>> http_clients_;
  std::vector<std::unique_ptr<MuxClient>> mux_clients_;
  std::vector<std::unique_ptr<TcpClient>> tcp_clients_;
  std::size_t clients_planned_ = 0;
  bool has_loss_ = false;
  std::unique_ptr<Faults> faults_;
  Checks::Workers workers_;
  Checks checks_;
  Changes changes_;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_max_ = UINT64_MAX;
};

}  // namespace weir::sim
