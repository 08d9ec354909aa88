#pragma once
// SimServer: what the simulation's servers have in common: a host, a listening socket, and the ways
// to fail.

#include <memory>

#include "sim/ledger.h"
#include "sim/network.h"
#include "sim/server_group.h"

namespace weir::sim {

class SimServer : protected Watcher {
 public:
  // index: its place in the group.
  SimServer(Ledger& ledger, ServerGroup& group, std::size_t index, HostId host,
            std::uint16_t port) noexcept;
  SimServer(const SimServer&) = delete;
  virtual ~SimServer() { *is_alive_ = false; }

  HostId host() const noexcept { return host_; }
  bool is_up() const noexcept { return listening_ != nullptr; }
  void start();
  void crash(Crash crash);
  void come_back();
  // The kernel goes on; the process reads, writes and accepts nothing.
  void hang(TimePoint until);

 protected:
  bool chance(std::uint32_t permille) noexcept { return random().below(1000) < permille; }
  Random& random() noexcept { return network_.random(); }
  // Something may have happened: lets step() come soon.
  void note() noexcept;
  void wake_at(TimePoint time);
  void on_change() noexcept override { note(); }

  virtual void accept(End& end) = 0;
  // Does what can be done on all connections.
  virtual void serve_all() = 0;
  // The process is gone, and its connections with it; the ends close themselves.
  virtual void forget_all() = 0;

  Network& network_;
  Ledger& ledger_;
  ServerGroup& group_;
  std::size_t index_;

 private:
  void step();

  HostId host_;
  std::uint16_t port_;
  Listening* listening_ = nullptr;
  TimePoint hung_until_{};
  bool is_noted_ = false;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::sim
