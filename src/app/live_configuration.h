#pragma once
// LiveConfiguration: what is in force, and how it changes: by a reload of the file, by the admin
// API. Each change is made wholly or not at all, one after the other, and in force on every worker
// when the call returns. Any thread but a worker's or the control thread, for a call may take its
// time.

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "admin/operations.h"
#include "app/access_log_writer.h"
#include "app/live_routes.h"
#include "app/settings.h"
#include "app/worker_thread.h"
#include "discovery/resolver.h"
#include "net/listening_socket.h"
#include "stats/prometheus.h"

namespace weir::app {

class LiveConfiguration final : public admin::Operations {
 public:
  // file: what a reload reads; empty: there is none. The others must outlive it.
  LiveConfiguration(Settings settings, std::string file, stats::Registry& registry,
                    AccessLogWriter& access_log);
  LiveConfiguration(const LiveConfiguration&) = delete;

  // Opens what the first settings name. The error is a sentence.
  std::expected<void, std::string> prepare();
  // Gives the workers, which run, the first snapshot. Waits a moment for the addresses of servers
  // that have a name. resolver: nullptr if no server will ever have one.
  void serve(std::span<const std::unique_ptr<WorkerThread>> workers,
             discovery::Resolver* resolver = nullptr);
  // Names may stand for other addresses: tells the workers. Lines for people.
  std::vector<std::string> adopt_names();
  // Time has passed: servers that start slowly get a larger share.
  void renew_ramps();
  bool is_some_ramping() const;
  // Waits for a change under way, and refuses any further one.
  void close();

  // What is in force.
  std::shared_ptr<const proxy::Snapshot> snapshot() const;
  Duration shutdown_timeout() const;
  // Each listener's name, protocol and real address.
  std::vector<admin::ListenerState> listeners() override;
  net::Address first_address() const;

  std::vector<admin::RouteState> routes() override;
  std::vector<admin::BackendState> backends() override;
  admin::Answered<admin::BackendState> backend(const std::string& name) override;
  admin::Answered<admin::ServerState> server(const std::string& backend,
                                             const std::string& name) override;
  std::vector<admin::WorkerState> workers() override;
  admin::Answered<void> change_server(const std::string& backend, const std::string& server,
                                      const admin::ServerChange& change) override;
  admin::Answered<void> add_server(const std::string& backend,
                                   const backend::ServerSettings& server) override;
  admin::Answered<void> remove_server(const std::string& backend,
                                      const std::string& server) override;
  admin::Answered<void> change_split(const std::string& listener, std::size_t route,
                                     const admin::SplitChange& change) override;
  admin::Answered<admin::ReloadReport> reload() override;
  admin::Answered<admin::Explanation> explain(const admin::ExplainQuestion& question) override;

  void append_samples(std::vector<stats::Sample>& samples) const;

 private:
  // The listening sockets of one address.
  struct OpenAddress {
    proxy::SocketsId id;
    std::string listener;     // name of who has it
    net::Address configured;  // port 0: any
    net::ListenOptions options;
    net::Address address;       // the real one
    std::vector<Fd> not_taken;  // by the workers yet
  };
  using OpenAddresses = std::vector<OpenAddress>;
  class Installation;
  using Change = admin::Answered<void>;

  Change apply(Settings next);
  Change put_into_force(Settings next);
  bool renew_addresses(backend::Backend& backend) const;
  std::expected<OpenAddresses, std::string> open_addresses(const Settings& next,
                                                           proxy::Snapshot& snapshot);
  std::expected<net::ListeningSockets, std::string> open_sockets(const OpenAddress& wanted);
  const OpenAddress* find_in_the_way(const net::Address& address) const;
  std::vector<std::vector<net::Address>> real_addresses() const;
  void note_closing(const OpenAddresses& kept);
  std::expected<void, std::string> open_logs(const Settings& next, proxy::Snapshot& snapshot);
  void publish(std::shared_ptr<const proxy::Snapshot> snapshot, OpenAddresses addresses);
  void publish_candidates(proxy::BackendIndex place);
  admin::Answered<proxy::BackendIndex> find_backend(const std::string& name) const;
  admin::Answered<balance::ServerIndex> find_server(const backend::Backend& backend,
                                                    const std::string& name) const;
  admin::BackendState state_of(const backend::Backend& backend) const;
  std::optional<admin::ResolvedState> resolved_state_of(const backend::Server& server) const;
  void append_name_samples(std::vector<stats::Sample>& samples) const;
  admin::ServerState state_of(const backend::Backend& backend, balance::ServerIndex index) const;
  std::vector<std::string> kept_weights() const;

  const std::string file_;
  stats::Registry& registry_;
  AccessLogWriter& access_log_;
  std::span<const std::unique_ptr<WorkerThread>> workers_;
  discovery::Resolver* resolver_ = nullptr;

  mutable std::mutex changing_;  // held while anything changes; guards what follows
  bool closed_ = false;
  Settings settings_;  // what is in force: those of the process stay as they were at the start
  OpenAddresses addresses_;  // in the order of the listeners
  // Ports and paths that changes gave up, and when the workers have closed their sockets at the
  // latest.
  std::map<std::string, std::chrono::steady_clock::time_point> closing_;
  std::uint32_t next_sockets_ = 1;
  std::set<std::string> added_;  // BACKEND/SERVER that the file does not have
  LiveRoutes routes_;

  mutable std::mutex mutex_;  // guards what follows, which others read while something changes
  std::shared_ptr<const proxy::Snapshot> snapshot_;
  mutable std::vector<std::weak_ptr<const proxy::Snapshot>> live_;
  std::uint64_t reloads_ = 0;
  std::uint64_t reloads_refused_ = 0;
  Duration longest_pause_{};  // of a worker, by the last change
};

}  // namespace weir::app
