#pragma once
// Server: the run-time state of one server of a backend, shared by all workers. It is not part of a
// configuration: a reload that leaves name and address alone keeps it, with its connections,
// counters and what an operator said of it.

#include <atomic>
#include <memory>
#include <string>

#include "backend/backend_settings.h"
#include "backend/server_addresses.h"
#include "backend/server_state.h"
#include "backend/slots.h"
#include "stats/registry.h"

namespace weir::backend {

class Server {
 public:
  Server(const ServerSettings& settings, std::string_view backend, stats::Registry& registry);
  Server(const Server&) = delete;

  const std::string& name() const noexcept { return name_; }
  // BACKEND/NAME, as logs and metrics show it.
  const std::string& full_name() const noexcept { return full_name_; }
  // As configured: it may be a name.
  const net::ServerAddress& address() const noexcept { return address_; }
  const std::string& address_text() const noexcept { return address_text_; }
  // Host of a request that names none (RFC 9112 3.2).
  const std::string& authority() const noexcept { return authority_; }
  std::string_view backend_name() const noexcept WEIR_LIFETIMEBOUND {
    return std::string_view(full_name_).substr(0, full_name_.size() - name_.size() - 1);
  }
  const stats::ServerStats& stats() const noexcept { return *stats_; }
  const stats::BackendStats& backend_stats() const noexcept { return *backend_stats_; }

  // Attempts in flight over all workers.
  std::uint32_t leases() const noexcept { return leases_.load(std::memory_order_relaxed); }
  const std::atomic<std::uint32_t>& lease_counter() const noexcept { return leases_; }
  // One more, unless there are as many as maxconn allows. Any worker.
  bool try_begin_lease() noexcept { return try_acquire_slot(leases_, maxconn()); }
  void end_lease() noexcept { release_slot(leases_); }
  bool has_free_slot() const noexcept { return !is_full(leases_, maxconn()); }

  // Any thread. maxconn 0: no limit.
  std::uint32_t weight() const noexcept { return weight_.load(std::memory_order_relaxed); }
  std::uint32_t maxconn() const noexcept { return maxconn_.load(std::memory_order_relaxed); }
  AdminState admin_state() const noexcept { return admin_state_.load(std::memory_order_relaxed); }

  // Load reports that did not come, or not as they should. The control thread counts.
  stats::Cell& load_report_failures() noexcept { return load_report_failures_; }

  // What follows: the jobs thread.
  const std::shared_ptr<const ServerAddresses>& addresses() const noexcept { return addresses_; }
  void set_addresses(std::shared_ptr<const ServerAddresses> addresses) noexcept {
    addresses_ = std::move(addresses);
  }
  std::uint32_t weight_configured() const noexcept { return weight_configured_; }
  // The weight in force once the file says this one: a weight set at run time stays until the file
  // changes its mind.
  std::uint32_t weight_after(std::uint32_t configured) const noexcept {
    return configured == weight_configured_ ? weight() : configured;
  }
  void configure(const ServerSettings& settings) noexcept;
  void set_weight(std::uint32_t weight) noexcept { weight_.store(weight); }
  void set_admin_state(AdminState state) noexcept { admin_state_.store(state); }
  // Since when it can be used, if that is since something changed; the minimum if since the start.
  TimePoint usable_since() const noexcept { return usable_since_; }
  void note_unusable() noexcept { was_usable_ = false; }
  // now: TimePoint::min() at the start.
  void note_usable(TimePoint now) noexcept {
    if (!was_usable_) usable_since_ = now;
    was_usable_ = true;
  }
  void note_new(TimePoint now) noexcept { usable_since_ = now; }

 private:
  std::string name_;
  std::string full_name_;
  net::ServerAddress address_;
  std::string address_text_;
  std::string authority_;
  std::shared_ptr<const stats::ServerStats> stats_;
  std::shared_ptr<const stats::BackendStats> backend_stats_;
  std::shared_ptr<const ServerAddresses> addresses_;
  std::uint32_t weight_configured_;
  bool was_usable_ = weight_configured_ != 0;
  TimePoint usable_since_ = TimePoint::min();
  stats::Cell load_report_failures_;
  // Read by all workers, written by the jobs thread only.
  alignas(64) std::atomic<std::uint32_t> weight_;
  std::atomic<std::uint32_t> maxconn_;
  std::atomic<AdminState> admin_state_ = AdminState::ready;
  // Written by all workers.
  alignas(64) std::atomic<std::uint32_t> leases_{0};
};

}  // namespace weir::backend
