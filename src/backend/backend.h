#pragma once
// Backend and Server: the run-time state that all workers and all snapshots share. Made when a
// configuration is compiled; everything in it is constant, atomic, or counted a worker.

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend_settings.h"
#include "balance/picker.h"
#include "stats/registry.h"

namespace weir::backend {

class Server {
 public:
  Server(const ServerSettings& settings, std::string_view backend, stats::Registry& registry);
  Server(const Server&) = delete;

  const std::string& name() const noexcept { return name_; }
  // BACKEND/NAME, as logs and metrics show it.
  const std::string& full_name() const noexcept { return full_name_; }
  const net::Address& address() const noexcept { return address_; }
  balance::ServerRole role() const noexcept { return role_; }
  // Host of a request that names none (RFC 9112 3.2).
  const std::string& authority() const noexcept { return authority_; }
  const stats::ServerStats& stats() const noexcept { return *stats_; }

  // Attempts in flight over all workers.
  std::uint32_t leases() const noexcept { return leases_.load(std::memory_order_relaxed); }

 private:
  friend class Backend;
  friend class ServerLease;
  std::string name_;
  std::string full_name_;
  net::Address address_;
  balance::ServerRole role_;
  std::string authority_;
  std::shared_ptr<const stats::ServerStats> stats_;
  // Written by all workers: on a line of its own.
  alignas(64) std::atomic<std::uint32_t> leases_{0};
};

class Backend {
 public:
  Backend(const BackendSettings& settings, stats::Registry& registry);
  Backend(const Backend&) = delete;

  const std::string& name() const noexcept { return settings_.name.value; }
  const BackendSettings& settings() const noexcept { return settings_; }
  std::size_t size() const noexcept { return servers_.size(); }
  Server& server(balance::ServerIndex index) const noexcept {
    return *servers_[balance::to_number(index)];
  }
  const balance::Picker& picker() const noexcept { return *picker_; }
  bool has_backups() const noexcept {
    return tables_[std::to_underlying(balance::ServerRole::backup)] != nullptr;
  }
  // Of the servers with this role; that of the backups is there only if there are some.
  const balance::Table& table(balance::ServerRole role) const noexcept {
    return *tables_[std::to_underlying(role)];
  }
  balance::LeaseCounters lease_counters() const noexcept WEIR_LIFETIMEBOUND {
    return lease_counters_;
  }
  const stats::BackendStats& stats() const noexcept { return *stats_; }

 private:
  BackendSettings settings_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<const std::atomic<std::uint32_t>*> lease_counters_;  // of servers_
  std::unique_ptr<const balance::Picker> picker_;
  std::array<std::unique_ptr<const balance::Table>, 2> tables_;  // by role
  std::shared_ptr<const stats::BackendStats> stats_;
};

}  // namespace weir::backend
