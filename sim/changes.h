#pragma once
// Changes: what app::LiveConfiguration does, on the simulated workers: reloads, and changes of
// weights and states, while traffic runs. Each worker takes a change over in its own turn; the next
// change waits until all have.

#include <map>
#include <memory>
#include <vector>

#include "app/settings.h"
#include "sim/checks.h"
#include "sim/draft.h"

namespace weir::sim {

// The hosts of both kinds of servers.
struct Groups {
  ServerGroup& web;
  ServerGroup& db;
};

class Changes {
 public:
  Changes(Ledger& ledger, Groups groups, HostId weir, Draft& draft);
  Changes(const Changes&) = delete;
  ~Changes();

  // Gives the workers their first snapshot.
  void serve(const Checks::Workers& workers, proxy::ProxyShared& shared, Checks& checks);
  // Plans `count` changes for the time up to `span` from now.
  void plan(int count, Duration span);
  // With the configuration as it is drafted; while no change is under way.
  void reload();
  // Nothing more is begun.
  void close() noexcept { is_closed_ = true; }
  bool is_under_way() const noexcept { return !orders_.empty(); }
  // That are in force, the first snapshot not counted.
  std::size_t made() const noexcept { return made_; }
  // After each step.
  void settle();

  const proxy::Snapshot& snapshot() const noexcept { return *snapshot_; }

 private:
  class Order;
  // The listening sockets of one address, by worker.
  struct NewSockets {
    proxy::SocketsId id;
    std::uint16_t port;
    std::vector<Listening*> listening;
  };

  Random& random() noexcept { return network_.random(); }
  bool chance(std::uint32_t permille) noexcept { return random().below(1000) < permille; }
  void begin();
  void change_server();
  void change_addresses(backend::Server& server);
  proxy::Snapshot compile(const app::Settings* before, app::Settings& settings);
  void open_addresses(const app::Settings& settings, proxy::Snapshot& snapshot);
  void give_orders();
  void carry_out(SimWorker& worker);
  void note_drains(const proxy::Snapshot& next);
  void offer(const backend::Backend& backend);
  ServerGroup& group_of(const backend::Backend& backend) noexcept {
    return backend.name() == "db" ? groups_.db : groups_.web;
  }

  Ledger& ledger_;
  Network& network_;
  Groups groups_;
  HostId weir_;
  Draft& draft_;
  const Checks::Workers* workers_ = nullptr;
  proxy::ProxyShared* shared_ = nullptr;
  Checks* checks_ = nullptr;
  std::shared_ptr<const proxy::AccessLogFile> log_;
  app::Settings settings_;
  std::vector<std::string> http_backends_;  // of all HTTP listeners
  std::shared_ptr<const proxy::Snapshot> snapshot_;
  std::map<std::uint16_t, proxy::SocketsId> addresses_;
  std::uint32_t next_sockets_ = 1;
  bool is_closed_ = false;
  std::size_t made_ = 0;

  // Of the change under way.
  std::vector<std::unique_ptr<Order>> orders_;
  std::size_t not_carried_out_ = 0;
  std::vector<NewSockets> new_sockets_;
  proxy::BackendIndex changed_ = proxy::BackendIndex::none;  // none: all of the snapshot is new
  std::shared_ptr<const backend::Candidates> candidates_;
  std::vector<std::shared_ptr<const void>> left_over_;
  std::weak_ptr<const proxy::Snapshot> before_;
};

}  // namespace weir::sim
