#pragma once
// For the tests of this folder: a process with a listener, two backends and one worker, whose
// servers can be changed.

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "admin/operations.h"

namespace weir::admin::test {

class FakeOperations final : public Operations {
 public:
  std::vector<ListenerState> listeners() override {
    called_on = std::this_thread::get_id();
    return {{"web", {"127.0.0.1:8080"}, "http", 3, 40, 500}};
  }
  std::vector<RouteState> routes() override {
    return {{"web", 1, "path_prefix /users", "users", 6}, {"web", 2, "any request", "", 0, split_}};
  }
  std::vector<BackendState> backends() override { return backends_; }
  Answered<BackendState> backend(const std::string& name) override {
    const auto found = std::ranges::find(backends_, name, &BackendState::name);
    if (found == backends_.end()) return std::unexpected(kUnknown);
    return *found;
  }
  Answered<ServerState> server(const std::string& backend, const std::string& name) override {
    const ServerState* found = find(backend, name);
    if (found == nullptr) return std::unexpected(kUnknown);
    return *found;
  }
  std::vector<WorkerState> workers() override { return {{0, 3, 1.5, 1000, false}}; }

  Answered<void> change_server(const std::string& backend, const std::string& server,
                               const ServerChange& change) override {
    ServerState* found = find(backend, server);
    if (found == nullptr) return std::unexpected(kUnknown);
    if (change.weight) found->weight = *change.weight;
    if (change.state) found->state = *change.state;
    return {};
  }
  Answered<void> add_server(const std::string& backend,
                            const backend::ServerSettings& server) override {
    if (find(backend, *server.name) != nullptr) {
      return std::unexpected(Refusal{409, "duplicate_server", "there is one"});
    }
    ServerState added = make_server(backend, *server.name, server.weight);
    added.address = server.address.address.to_string();
    added.is_added = true;
    std::ranges::find(backends_, backend, &BackendState::name)->servers.push_back(added);
    return {};
  }
  Answered<void> remove_server(const std::string& backend, const std::string& server) override {
    if (find(backend, server) == nullptr) return std::unexpected(kUnknown);
    auto& servers = std::ranges::find(backends_, backend, &BackendState::name)->servers;
    std::erase_if(servers, [&server](const ServerState& other) { return other.name == server; });
    return {};
  }
  Answered<void> change_split(const std::string&, std::size_t route,
                              const SplitChange& change) override {
    if (route != 2) return std::unexpected(Refusal{409, "no_split", "it has none"});
    for (const GroupWeight& wanted : change.split) {
      std::ranges::find(split_, wanted.group, &GroupState::name)->weight = wanted.weight;
    }
    return {};
  }
  Answered<ReloadReport> reload() override {
    if (reload_refusal) return std::unexpected(*reload_refusal);
    return ReloadReport{{"backend users: server u3 added"}, {"workers: takes effect at the start"}};
  }
  Answered<Explanation> explain(const ExplainQuestion& asked) override {
    question = asked;
    return Explanation{"listener web\n", asked.listener.empty()};
  }

  std::atomic<std::thread::id> called_on;
  std::optional<Refusal> reload_refusal;
  ExplainQuestion question;  // the last one

 private:
  static ServerState make_server(const std::string& backend, const std::string& name,
                                 std::uint32_t weight) {
    ServerState server;
    server.backend = backend;
    server.name = name;
    server.address = "10.0.0.1:8080";
    server.weight = weight;
    server.weight_configured = weight;
    return server;
  }
  ServerState* find(const std::string& backend, const std::string& server) {
    for (BackendState& in : backends_) {
      for (ServerState& state : in.servers) {
        if (in.name == backend && state.name == server) return &state;
      }
    }
    return nullptr;
  }

  std::vector<GroupState> split_ = {{"old", "users", 95, 95, 7}, {"new", "a/b", 5, 5, 0}};
  inline static const Refusal kUnknown{404, "unknown_server", "no such server"};
  std::vector<BackendState> backends_ = {
      {"users",
       "round_robin",
       "static",
       70,
       80,
       10,
       2,
       {make_server("users", "u1", 5), make_server("users", "u2", 3)}},
      {"a/b", "random", "static", 0, 0, 0, 0, {make_server("a/b", "s 1", 1)}},
  };
};

}  // namespace weir::admin::test
