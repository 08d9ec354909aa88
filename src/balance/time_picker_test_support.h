#pragma once
// A backend with one worker whose servers take as long as a test says.

#include "balance/balance_test_support.h"
#include "balance/time_picker.h"
#include "base/random.h"

namespace weir::balance::test {

class TimedServers {
 public:
  TimedServers(const Picker& picker, std::vector<ServerSpec> servers)
      : leases(servers.size()),
        picker_(picker),
        table_(picker.build(servers, ServerSet::all(servers.size()))),
        state_(picker.start(*table_, WorkerIndex{0}, 1)) {}

  // Everything of an attempt whose response began and ended after `took`.
  void serve(ServerIndex server, Duration took) {
    lease(server);
    end(server, took);
  }
  void serve(std::initializer_list<Duration> each) {
    for (std::size_t i = 0; const Duration took : each) serve(to_server(i++), took);
  }
  void lease(ServerIndex server) {
    ++leases[server];
    picker_.on_lease(*table_, *state_, server, now);
  }
  void end(ServerIndex server, Duration took) {
    picker_.on_response(*table_, *state_, server, took, now);
    end(server, {.lasted = took});
  }
  void end(ServerIndex server, AttemptEnd how) {
    --leases[server];
    picker_.on_release(*table_, *state_, server, how, now);
  }

  ServerIndex pick(PickInput input = {}) {
    input.leases = leases.counters();
    input.random = random_.next();
    input.now = now;
    return picker_.pick(*table_, *state_, input);
  }
  // What a pick would go by; nullopt if it does not look at the server.
  std::optional<double> score(ServerIndex server, PickInput input = {}) {
    PickRecorder recorder(kServersMax);
    input.recorder = &recorder;
    pick(input);
    for (const ConsideredServer& considered : recorder.considered()) {
      if (considered.server == server) return considered.score;
    }
    return std::nullopt;
  }

  LeaseCounts leases;
  TimePoint now = TimePoint(std::chrono::hours(1));

 private:
  const Picker& picker_;
  std::unique_ptr<const Table> table_;
  std::unique_ptr<State> state_;
  Random random_{1};
};

}  // namespace weir::balance::test
