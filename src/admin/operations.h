#pragma once
// Operations: what the admin API can ask of, and change in, a running Weir. Implemented by app/.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend_settings.h"
#include "backend/server_state.h"

namespace weir::admin {

struct ListenerState {
  std::string name;
  std::vector<std::string> addresses;  // with the ports that the kernel chose
  std::string protocol;
  std::uint64_t connections_open = 0;
  std::uint64_t connections = 0;  // accepted since the start
  std::uint64_t requests = 0;
};

struct GroupState {
  std::string name;
  std::string backend;
  std::uint32_t weight = 0;             // in force
  std::uint32_t weight_configured = 0;  // by the file
  std::uint64_t requests = 0;
};

struct RouteState {
  std::string listener;
  std::size_t number = 0;  // from 1, in the order of the file
  std::string match;       // "any request" if it has no condition
  std::string backend;     // empty: it has a split, or a filter replies to all
  std::uint32_t line = 0;  // of the configuration file; 0: it has none
  std::vector<GroupState> split = {};
};

// What the name of a server stands for at present.
struct ResolvedState {
  std::vector<std::string> addresses;
  Duration ttl_left{};  // 0: it has passed
  std::string error;    // what was wrong with the last answer; empty: nothing
};

struct ServerState {
  std::string backend;
  std::string name;
  std::string address;                    // as configured: it may be a name
  std::optional<ResolvedState> resolved;  // if it is one
  std::uint32_t weight = 0;               // in force
  std::uint32_t weight_configured = 0;    // by the file
  bool is_backup = false;
  std::optional<std::uint32_t> maxconn;
  backend::AdminState state = backend::AdminState::ready;
  std::string reason;  // why it gets nothing at present; empty: it can get traffic
  std::uint32_t leases = 0;
  std::optional<float> score;  // lower is better; if the algorithm goes by any, and it is known
  std::uint64_t attempts = 0;
  std::uint64_t connect_failures = 0;
  bool is_added = false;  // by the API: the file does not have it
};

struct BackendState {
  std::string name;
  std::string balance;
  std::string_view method;  // of the algorithm: static or dynamic
  std::uint64_t requests = 0;
  std::uint64_t attempts = 0;
  std::uint64_t retries = 0;
  std::uint32_t queued = 0;  // requests that wait for a server
  std::vector<ServerState> servers;
};

struct WorkerState {
  std::uint32_t index = 0;
  std::uint32_t connections_open = 0;
  double busy_seconds = 0;
  std::uint64_t loop_iterations = 0;
  bool is_stuck = false;
};

// Why something was not done. The HTTP status, a word for programs and a sentence for people.
struct Refusal {
  std::uint16_t status = 400;
  std::string reason;   // unknown_backend, unknown_server, duplicate_server, bad_configuration …
  std::string message;  // names the nearest valid name, or all problems of a configuration
};
template <class T>
using Answered = std::expected<T, Refusal>;

struct ServerChange {
  std::optional<std::uint32_t> weight;
  std::optional<backend::AdminState> state;
};
template <class V>
void describe(V& v, ServerChange& s) {
  v.field("weight", s.weight, "Share of the traffic; 0 sends nothing new.")
      .range(0, balance::kWeightMax);
  v.field("state", s.state, "Whether it gets traffic.");
}

// Groups that it does not name keep their weights.
struct GroupWeight {
  std::string group;
  std::uint32_t weight = 0;
};
struct SplitChange {
  std::vector<GroupWeight> split;
};
template <class V>
void describe(V& v, GroupWeight& s) {
  v.field("group", s.group, "Name of the group.").required();
  v.field("weight", s.weight, "Its share of the traffic; 0 sends it nothing.")
      .required()
      .range(0, balance::kWeightMax);
}
template <class V>
void describe(V& v, SplitChange& s) {
  v.field("split", s.split, "Groups and their weights.").required().size(1, 1000);
}

// What a reload did, or that nothing was different.
struct ReloadReport {
  std::vector<std::string> changes;   // "backend users: server u3 added"
  std::vector<std::string> warnings;  // what takes effect at the next start only, and the like
};

// As `weir explain` asks.
struct ExplainQuestion {
  std::string method;
  std::string url;
  std::string from;
  std::vector<std::string> fields;  // "Name: value"
  std::string listener;
};

struct Explanation {
  std::string text;        // for people, a decision a line
  bool is_served = false;  // a server would get it, or a filter replies
};

// Everything may allocate, and wait for a lock or for workers: the jobs thread. Changes are made
// one after the other, each wholly or not at all.
class Operations {
 public:
  virtual std::vector<ListenerState> listeners() = 0;
  virtual std::vector<RouteState> routes() = 0;
  virtual std::vector<BackendState> backends() = 0;
  virtual Answered<BackendState> backend(const std::string& name) = 0;
  virtual Answered<ServerState> server(const std::string& backend, const std::string& name) = 0;
  virtual std::vector<WorkerState> workers() = 0;
  virtual Answered<void> change_server(const std::string& backend, const std::string& server,
                                       const ServerChange& change) = 0;
  virtual Answered<void> add_server(const std::string& backend,
                                    const backend::ServerSettings& server) = 0;
  virtual Answered<void> remove_server(const std::string& backend, const std::string& server) = 0;
  // Weights of the groups of a listener's route, by its number.
  virtual Answered<void> change_split(const std::string& listener, std::size_t route,
                                      const SplitChange& change) = 0;
  // Reads the file again, and puts it into force if it has no error.
  virtual Answered<ReloadReport> reload() = 0;
  // Against what is in force.
  virtual Answered<Explanation> explain(const ExplainQuestion& question) = 0;

 protected:
  ~Operations() = default;
};

}  // namespace weir::admin
