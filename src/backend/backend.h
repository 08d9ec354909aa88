#pragma once
// Backend: one generation of a backend's configuration: its settings and its servers. A change of
// either makes a new one, which takes over the servers that stay the same. All workers share it.

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backend/balance_key.h"
#include "backend/server.h"
#include "backend/wait_queue.h"
#include "balance/picker.h"
#include "balance/placement.h"
#include "net/geo_database.h"
#include "stats/registry.h"

namespace weir::backend {

// Who may get traffic at present. Immutable; replaced as a whole when a weight, a state or what a
// name stands for changes.
struct Candidates {
  std::vector<balance::ServerSpec> specs;                         // weights in force
  std::vector<AdminState> states;                                 // by server
  std::vector<std::shared_ptr<const ServerAddresses>> addresses;  // by server
  std::vector<std::unique_ptr<const balance::Table>> tables;      // by level
  balance::LevelShares shares;
  bool is_ramping = false;  // some have a part of their weight only, for a while
  bool has_some = false;    // ready, resolved, with a weight above 0
};

// What placement goes by. zone: of this process.
std::vector<balance::ServerPlace> places_of(const BackendSettings& settings, std::string_view zone);

// What a backend is given beside its own settings.
struct BackendContext {
  std::string_view zone = {};                         // of this process
  std::shared_ptr<const BalanceKey> key = nullptr;    // of the algorithm, if it has one
  std::shared_ptr<const BalanceKey> subset_key = {};  // of `subsets`, if it has them
  std::shared_ptr<const net::GeoDatabase> geo = {};   // if a server says where it is
};

class Backend {
 public:
  // Servers of the predecessor with the same name and address are taken over, but left as they are
  // until adopt_servers(). The jobs thread, or start.
  Backend(const BackendSettings& settings, stats::Registry& registry,
          const Backend* predecessor = nullptr, const BackendContext& context = {});
  Backend(const Backend&) = delete;

  const std::string& name() const noexcept { return settings_.name.value; }
  const BackendSettings& settings() const noexcept { return settings_; }
  std::size_t size() const noexcept { return servers_.size(); }
  Server& server(balance::ServerIndex index) const noexcept {
    return *servers_[balance::to_number(index)];
  }
  const std::vector<std::shared_ptr<Server>>& servers() const noexcept { return servers_; }
  bool is_backup(balance::ServerIndex index) const noexcept {
    return settings_.servers[balance::to_number(index)].backup;
  }
  const balance::Picker& picker() const noexcept { return *picker_; }
  const balance::Placement& placement() const noexcept { return placement_; }
  balance::LeaseCounters lease_counters() const noexcept WEIR_LIFETIMEBOUND {
    return lease_counters_;
  }
  const BalanceKey* key() const noexcept { return key_.get(); }
  const BalanceKey* subset_key() const noexcept { return subset_key_.get(); }
  // none: there is no such subset.
  balance::SubsetIndex find_subset(std::string_view name) const noexcept;
  const net::GeoDatabase* geo() const noexcept { return geo_.get(); }
  // Whether a pick hangs on who asks for it, and for what.
  bool goes_by_request() const noexcept {
    return key_ != nullptr || subset_key_ != nullptr || geo_ != nullptr;
  }
  // Empty: the algorithm goes by none. NaN: not known.
  balance::LoadScores scores() const noexcept WEIR_LIFETIMEBOUND { return scores_; }
  // nullopt: not known, or infinite.
  std::optional<float> find_score(balance::ServerIndex server) const noexcept;
  // One for each server, if the algorithm goes by them. The control thread.
  void set_scores(std::span<const float> scores) noexcept;
  const stats::BackendStats& stats() const noexcept { return *stats_; }
  // Requests that wait for a server; shared by all generations.
  WaitQueue& wait_queue() const noexcept { return *wait_queue_; }
  const std::shared_ptr<WaitQueue>& shared_wait_queue() const noexcept { return wait_queue_; }
  // Whether a server has a limit, so that all of them may be full.
  bool may_be_full() const noexcept { return may_be_full_; }

  // Any thread.
  std::shared_ptr<const Candidates> candidates() const;

  // What follows: the jobs thread.
  // This generation comes into force, once: weights and limits of its servers become those of its
  // settings. Whether the candidates are to be renewed, because some of them may start slowly: new
  // ones, and those that were at it under the predecessor.
  bool adopt_servers(TimePoint now) noexcept;
  // Whether weights differ from those of the candidates, because time has passed while some start
  // slowly.
  bool has_ramped(TimePoint now) const;
  // A weight, a state or the addresses of a server have changed, or time has passed while some are
  // ramping; the workers are to be told of the result. now: TimePoint::min() at the start.
  std::shared_ptr<const Candidates> renew_candidates(TimePoint now);

 private:
  std::shared_ptr<const Candidates> make_candidates(TimePoint now) const;
  void ramp(Candidates& candidates, TimePoint now) const;
  void take_scores_of(const Backend& predecessor);

  BackendSettings settings_;
  std::vector<std::shared_ptr<Server>> servers_;
  std::vector<const std::atomic<std::uint32_t>*> lease_counters_;  // of servers_
  std::vector<std::atomic<float>> scores_;                         // of servers_, or empty
  std::unique_ptr<const balance::Picker> picker_;
  balance::Placement placement_;
  std::vector<std::string> subsets_;  // their names, sorted
  std::shared_ptr<const BalanceKey> key_;
  std::shared_ptr<const BalanceKey> subset_key_;
  std::shared_ptr<const net::GeoDatabase> geo_;
  std::shared_ptr<const stats::BackendStats> stats_;
  std::shared_ptr<WaitQueue> wait_queue_;
  bool may_be_full_;
  bool has_predecessor_;
  std::vector<bool> is_new_;  // by server: the predecessor did not have it
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Candidates> candidates_;
};

}  // namespace weir::backend
