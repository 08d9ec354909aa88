#pragma once
// ServerChoice: how one worker picks among the servers of one generation of a backend: the picker's
// state, which servers refused a connection a moment ago, which are full. A copy answers what would
// be picked, and why, without moving anything. One thread at a time.

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "base/random.h"

namespace weir::backend {

enum class ServerVerdict : std::uint8_t {
  picked,
  usable,        // might have been picked as well
  behind,        // usable, but by the algorithm's measure another one is better
  backup,        // usable, but so is a primary
  reserve,       // usable, but another priority, zone, subset or place comes first
  unplaced,      // of a zone that gets nothing
  other_subset,  // usable, but not what the request asks for
  refused_a_moment_ago,
  full,  // at its maxconn
  weight_zero,
  unresolved,  // its name stands for no address
  draining,
  disabled,
};

struct JudgedServer {
  balance::ServerIndex server;
  ServerVerdict verdict;
  std::optional<double> score = {};  // of one behind: leases for its weight
  Duration since_refusal{};          // of one that refused
};

// What a pick goes by of the request or connection that it is for.
struct PickFor {
  std::optional<std::uint64_t> hash = {};        // of the algorithm's key; nullopt: it has none
  std::optional<balance::GeoPoint> client = {};  // where it comes from; nullopt: not known
  balance::SubsetIndex subset = balance::SubsetIndex::none;  // none: no subset that is known
};

// What a pick would give at present.
struct ExplainedPick {
  balance::ServerIndex picked = balance::ServerIndex::none;
  bool is_full = false;               // nobody was picked, because all that could be are full
  bool has_candidates = true;         // somebody could be picked, if nobody was full
  std::vector<JudgedServer> servers;  // all, in the order of the configuration
  // The server picked and those of the picks after it, were each attempt over before the next one.
  std::vector<balance::ServerIndex> order;
  bool is_drawn = false;  // by chance: asked again, it may be another one
};

class ServerChoice {
 public:
  // That of a worker which has just started. The backend must outlive it. May allocate.
  ServerChoice(const Backend& backend, balance::WorkerIndex worker, std::uint16_t workers);
  // Moves on its own. May allocate.
  explicit ServerChoice(const ServerChoice& other);
  ServerChoice& operator=(const ServerChoice&) = delete;

  // Goes on from where the choice of the same servers by the same algorithm stands, which is not
  // used any more.
  void take_position_of(ServerChoice& predecessor) noexcept;
  const Candidates& candidates() const noexcept { return *candidates_; }
  // Weights, states or addresses of servers have changed. Gives back what was in force.
  std::shared_ptr<const Candidates> adopt(std::shared_ptr<const Candidates> candidates) noexcept;

  enum class Slot : std::uint8_t { take, look };
  // The server of the next attempt, with one of its slots if it is to be taken; none: nobody can be
  // used, or all that could are full. Of the input only `tried`, `random`, `now` and `recorder` are
  // looked at.
  balance::ServerIndex pick(const PickFor& request, balance::PickInput input, Slot slot) noexcept;
  // Of the last pick: servers were left out because they were full.
  bool are_some_full() const noexcept { return some_full_; }
  // Why an unresolved server is so.
  std::string_view problem_of(balance::ServerIndex server) const noexcept WEIR_LIFETIMEBOUND {
    return candidates_->addresses[balance::to_number(server)]->problem;
  }
  // Whether somebody could be picked, if nobody was full.
  bool has_candidates() const noexcept { return candidates_->has_some; }
  // What the picker learns of an attempt: its response began, so long after the request was sent;
  // the slot that it took was given back.
  void on_response(balance::ServerIndex server, Duration after, TimePoint now) noexcept;
  void on_release(balance::ServerIndex server, balance::AttemptEnd end, TimePoint now) noexcept;

  // The server refused a connection then: for a while it is picked only if nobody else can be.
  void leave_out(balance::ServerIndex server, TimePoint refused_at) noexcept;
  // 0 if it never did.
  TimePoint refused_at(balance::ServerIndex server) const noexcept {
    return refused_at_[balance::to_number(server)];
  }

  // What there is to say of a server once this one, or nobody, was picked.
  ServerVerdict judge(balance::ServerIndex server, balance::ServerIndex picked) const noexcept;
  // What a pick gives now that takes its chances from `random`. Moves nothing; allocates.
  ExplainedPick explain(const PickFor& request, Random random, TimePoint now) const;

 private:
  TimePoint let_in_at(balance::ServerIndex server) const noexcept;
  void let_in_again(TimePoint now) noexcept;
  void look_at_full() noexcept;
  balance::ServerIndex pick_candidate(const PickFor& request, balance::PickInput& input) noexcept;
  balance::ServerIndex pick_by_level(const PickFor& request,
                                     const balance::PickInput& input) noexcept;
  bool is_outside_subset(balance::ServerIndex server, const PickFor& request,
                         balance::ServerIndex picked) const noexcept;
  std::vector<balance::ServerIndex> pick_some(const PickFor& request, Random random,
                                              TimePoint now) const;
  const balance::Table& table(balance::LevelIndex level) const noexcept {
    return *candidates_->tables[balance::to_number(level)];
  }
  balance::State& state(balance::LevelIndex level) noexcept {
    return *states_[balance::to_number(level)];
  }

  const Backend& backend_;
  std::shared_ptr<const Candidates> candidates_;
  std::vector<std::unique_ptr<balance::State>> states_;  // by level
  std::vector<TimePoint> refused_at_;                    // by server
  balance::ServerSet left_out_;
  TimePoint next_let_in_ = kNever;  // kNever: left_out_ is empty
  balance::ServerSet full_;         // when they were last looked at
  bool some_full_ = false;
  balance::ServerSet excluded_;  // of the pick under way
};

}  // namespace weir::backend
