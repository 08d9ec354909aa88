#pragma once
// A picker is a balancing algorithm: which of a backend's candidates gets the next attempt.
//
// It works on a table and a state. The table is immutable, built off the workers from the servers,
// their weights and the current candidates, shared by all workers, and replaced when any of these
// changes. The state (a position, a heap, averages) belongs to one worker. A pick is determined by
// table, state and input, so that a copy of the state answers what would be picked without moving
// anything.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "balance/pick_recorder.h"
#include "balance/server.h"
#include "base/time.h"

namespace weir::balance {

class Table {
 public:
  virtual ~Table() = default;
};

class State {
 public:
  virtual ~State() = default;
};

// Attempts in flight on each server over all workers, by its number. The counters are the servers'
// own, written by every worker, so that reading one may cost a cache miss.
using LeaseCounters = std::span<const std::atomic<std::uint32_t>* const>;

// What the control thread makes of what is known of each server (reports, traffic, failures), by
// its number: lower is better. Written there alone, seldom.
using LoadScores = std::span<const std::atomic<float>>;

// How an attempt went that held a lease.
enum class AttemptOutcome : std::uint8_t {
  whole,   // its response came to its end
  failed,  // by fault of the server
  cut,     // for another reason: how long it lasted says nothing of the server
};
struct AttemptEnd {
  Duration lasted{};  // from the lease on
  AttemptOutcome outcome = AttemptOutcome::whole;
};

// What one pick is told. All borrowed for the call.
struct PickInput {
  // Candidates of the table that this pick must leave out, because they are full, or refused this
  // worker a moment ago; nullptr: none.
  const ServerSet* excluded = nullptr;
  // Servers that this exchange tried already; a handful, in any order.
  std::span<const ServerIndex> tried = {};
  LeaseCounters leases = {};               // of all servers of the table; empty: not known
  LoadScores scores = {};                  // likewise
  std::optional<std::uint64_t> hash = {};  // of the balancing key; nullopt: it has none
  std::uint64_t random = 0;                // 64 fresh random bits
  TimePoint now = {};
  PickRecorder* recorder = nullptr;  // told what the pick considers; nullptr: nobody asks

  // Tells the recorder of a server that it does not allow.
  bool allows(ServerIndex server) const noexcept;
  // Picker. Tells the recorder, if there is one; of ServerIndex::none it keeps nothing.
  void record(ServerIndex server, PickVerdict verdict,
              std::optional<double> score = {}) const noexcept {
    if (recorder != nullptr) [[unlikely]] {
      recorder->on_considered(server, verdict, score);
    }
  }
};

// Stateless: one object serves all backends, workers and threads.
class Picker {
 public:
  virtual ~Picker() = default;

  // Jobs or control thread; may allocate. Candidates are indices into servers; those of weight 0
  // are passed over.
  virtual std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                             const ServerSet& candidates) const = 0;

  // A fresh state for worker `worker` of `workers` (worker < workers). It serves every later table
  // of the same servers, so that a change of weights or candidates loses no position; when servers
  // were added or removed, start again. May allocate.
  virtual std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                                       std::uint16_t workers) const = 0;

  // A copy that moves on its own, for explain. May allocate.
  virtual std::unique_ptr<State> copy(const State& state) const = 0;

  // Worker. An allowed candidate, or none. Does not allocate; its cost grows at most with the
  // logarithm of the number of servers, unless nearly all of them are left out or the table is new
  // to the state.
  virtual ServerIndex pick(const Table& table, State& state,
                           const PickInput& input) const noexcept = 0;

  // What follows: worker, at a time that never goes back. An attempt on this server began; its
  // response began, or its connection if it is a tunnel, so long after the request was sent; it
  // ended.
  virtual void on_lease(const Table&, State&, ServerIndex, TimePoint) const noexcept {}
  virtual void on_response(const Table&, State&, ServerIndex, Duration, TimePoint) const noexcept {}
  virtual void on_release(const Table&, State&, ServerIndex, AttemptEnd, TimePoint) const noexcept {
  }
};

// The candidates that have a weight.
ServerSet members_of(std::span<const ServerSpec> servers, const ServerSet& candidates);

// ServerSet::word() of the members that the input allows. Tells no recorder.
std::uint64_t allowed_word(const ServerSet& members, const PickInput& input,
                           std::size_t at) noexcept;

// Tells the recorder, if there is one, of each member that the input does not allow.
void record_left_out(const ServerSet& members, const PickInput& input) noexcept;

// The first member at or after `from`, in circular order, that the input allows; none if there is
// none. Reads 64 servers a step.
ServerIndex find_allowed(const ServerSet& members, const PickInput& input,
                         ServerIndex from) noexcept;

}  // namespace weir::balance
