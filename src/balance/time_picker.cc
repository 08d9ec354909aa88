#include "balance/time_picker.h"

#include <chrono>
#include <compare>
#include <limits>
#include <utility>

#include "balance/shortlist.h"

namespace weir::balance {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

// The time of everybody while nothing is known of anybody.
constexpr double kTimeUnknown = 1;

struct TimeState final : State {
  TimeState(const ResponseTimesOptions& options, std::size_t servers)
      : times(options, servers), own_leases(servers) {}
  ResponseTimes times;
  std::vector<std::uint32_t> own_leases;  // of this worker
};

// The lowest is picked.
struct Rank {
  bool is_held;  // has its attempt, and nothing is known yet
  double cost;
  bool is_known;  // of equals whoever is not known
  double load;    // leases for its weight
  auto operator<=>(const Rank&) const = default;
};

class Ranking {
 public:
  Ranking(const TimePickerOptions& options, const ShortlistTable& table, const TimeState& state,
          const PickInput& input) noexcept
      : options_(options),
        table_(table),
        state_(state),
        input_(input),
        scale_(state.times.scale(input.now)) {}

  void find_fastest(std::span<const ServerIndex> servers) noexcept {
    for (const ServerIndex server : servers) {
      if (is_known(server)) fastest_ = std::min(fastest_, state_.times.unscaled(server));
    }
  }

  Rank rank(ServerIndex server) const noexcept {
    const bool is_anybody_known = fastest_ < std::numeric_limits<double>::infinity();
    const bool known = is_known(server);
    const double unscaled = known ? state_.times.unscaled(server) : fastest_;
    const double time = is_anybody_known ? unscaled * scale_ : kTimeUnknown;
    const double leases = leases_of(server);
    const double weight = table_.weight_of(server);
    return {.is_held = is_anybody_known && !known && state_.own_leases[to_number(server)] > 0,
            .cost = cost(time * slowness(server), leases, weight),
            .is_known = known,
            .load = leases / weight};
  }

 private:
  bool is_known(ServerIndex server) const noexcept {
    return state_.times.is_known(server, input_.now);
  }
  double leases_of(ServerIndex server) const noexcept {
    const std::size_t number = to_number(server);
    if (input_.leases.empty()) return state_.own_leases[number];
    return input_.leases[number]->load(std::memory_order_relaxed);
  }
  double slowness(ServerIndex server) const noexcept {
    if (input_.scores.empty()) return 1;
    const float score = input_.scores[to_number(server)].load(std::memory_order_relaxed);
    return score > 0 ? 1 + double{score} : 1;  // Nothing is added for NaN.
  }
  double cost(double time, double leases, double weight) const noexcept {
    switch (options_.formula) {
      case TimeFormula::product:
        return time * (leases + 1) / weight;
      case TimeFormula::sum:
        return (time + leases * Milliseconds(options_.lease_time).count()) / weight;
      case TimeFormula::time:
        return time;
    }
    std::unreachable();
  }

  const TimePickerOptions& options_;
  const ShortlistTable& table_;
  const TimeState& state_;
  const PickInput& input_;
  double scale_;
  double fastest_ = std::numeric_limits<double>::infinity();  // unscaled
};

}  // namespace

std::unique_ptr<const Table> TimePicker::build(std::span<const ServerSpec> servers,
                                               const ServerSet& candidates) const {
  return std::make_unique<ShortlistTable>(servers, candidates);
}

std::unique_ptr<State> TimePicker::start(const Table& table, WorkerIndex, std::uint16_t) const {
  return std::make_unique<TimeState>(options_.times,
                                     static_cast<const ShortlistTable&>(table).servers());
}

std::unique_ptr<State> TimePicker::copy(const State& state) const {
  return std::make_unique<TimeState>(static_cast<const TimeState&>(state));
}

ServerIndex TimePicker::pick(const Table& table, State& state,
                             const PickInput& input) const noexcept {
  const auto& compared = static_cast<const ShortlistTable&>(table);
  Random random(input.random);
  const Shortlist shortlist(compared, input, random);
  Ranking ranking(options_, compared, static_cast<const TimeState&>(state), input);
  ranking.find_fastest(shortlist.servers());
  ServerIndex best = ServerIndex::none;
  Rank lowest{};
  for (const ServerIndex server : shortlist.servers()) {
    const Rank rank = ranking.rank(server);
    if (best != ServerIndex::none && !(rank < lowest)) continue;
    best = server;
    lowest = rank;
  }
  if (input.recorder == nullptr) return best;
  for (const ServerIndex server : shortlist.servers()) {
    input.record(server, server == best ? PickVerdict::chosen : PickVerdict::behind,
                 ranking.rank(server).cost);
  }
  return best;
}

void TimePicker::on_lease(const Table&, State& state, ServerIndex server,
                          TimePoint) const noexcept {
  ++static_cast<TimeState&>(state).own_leases[to_number(server)];
}

void TimePicker::on_response(const Table&, State& state, ServerIndex server, Duration after,
                             TimePoint now) const noexcept {
  if (options_.measured != Measured::header) return;
  static_cast<TimeState&>(state).times.add(server, after, now);
}

void TimePicker::on_release(const Table&, State& state, ServerIndex server, AttemptEnd end,
                            TimePoint now) const noexcept {
  auto& own = static_cast<TimeState&>(state);
  // A lease may be older than this state.
  std::uint32_t& leases = own.own_leases[to_number(server)];
  if (leases > 0) --leases;
  if (end.outcome == AttemptOutcome::failed) {
    own.times.add_failure(server, end.lasted, now);
  } else if (end.outcome == AttemptOutcome::whole && options_.measured == Measured::last_byte) {
    own.times.add(server, end.lasted, now);
  }
}

}  // namespace weir::balance
