#pragma once
// Checks: what has to hold in Weir after each step: of leases, queues, pools and connections; and
// what may be left of it when it is at rest, and at its end.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/ledger.h"
#include "sim/sim_worker.h"

namespace weir::sim {

class Checks {
 public:
  using Workers = std::vector<std::unique_ptr<SimWorker>>;

  Checks(Ledger& ledger, HostId weir, proxy::ProxyShared& shared, const Workers& workers);
  Checks(const Checks&) = delete;

  // The same for as long as it is the same server to Weir.
  std::uint64_t number_of(const std::shared_ptr<backend::Server>& server) {
    return record_of(server).number;
  }

  // Workers take over the snapshot, or the weights and states of its servers, one after the other.
  void begin_change(const std::shared_ptr<const proxy::Snapshot>& next);
  // All have.
  void end_change(const proxy::Snapshot& now);

  // Of clients, over all workers.
  std::size_t count_connections() const noexcept;
  // Requests and tunnels that had to wait for a server.
  std::uint64_t waits() const noexcept;
  // turned: whose turn the step was; nullptr: nobody's.
  void check(const SimWorker* turned);
  // Nobody uses Weir, and old listeners are gone. present: what is in force.
  void check_at_rest(const proxy::Snapshot& present);
  // The workers have ended.
  void check_end(const proxy::Snapshot& present);

 private:
  struct ServerRecord {
    std::weak_ptr<backend::Server> server;
    std::uint64_t number = 0;
    HostId host{};
    std::uint32_t leases = 0;  // after the step before
    std::uint32_t idle_max = 0;
    bool may_be_picked = false;
  };
  // The generations of one backend, from the time it is configured.
  struct Line {
    std::string name;
    std::weak_ptr<backend::Backend> newest;
    std::uint32_t waiting = 0;  // after the step before
    std::uint32_t length_least = 0;
    std::uint32_t length_most = 0;
    bool is_retired = false;
  };
  // Of one backend name and worker.
  struct QueueCounts {
    std::uint64_t waits = 0;
    std::uint64_t full = 0;
  };

  void fail(std::string what) { ledger_.violate(std::move(what)); }
  ServerRecord& record_of(const std::shared_ptr<backend::Server>& server);
  void admit(const backend::Backend& backend);
  Line* find_line(std::string_view name) noexcept;
  bool is_anybody_due() const noexcept;
  void check_leases();
  void check_pools();
  void check_queues(const SimWorker* turned);
  void check_refusals(const SimWorker& worker);
  void check_waiters(const Line& line, const backend::Backend& backend);
  void check_loads();
  void check_generations(const proxy::Snapshot& present);

  Network& network_;
  Ledger& ledger_;
  HostId weir_;
  proxy::ProxyShared& shared_;
  const Workers& workers_;
  std::vector<ServerRecord> servers_;
  std::vector<Line> lines_;
  std::map<std::string, std::shared_ptr<const stats::BackendStats>> stats_;
  std::map<std::pair<std::string, std::uint32_t>, QueueCounts> counts_;
  std::vector<std::shared_ptr<const stats::ListenerStats>> listeners_;
  std::vector<std::weak_ptr<backend::Backend>> generations_;
  std::uint64_t steps_ = 0;
};

}  // namespace weir::sim
