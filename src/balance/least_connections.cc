#include "balance/least_connections.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

namespace weir::balance {
namespace {

// Servers looked at in turn by each pick at least, and winners looked at before one is taken as it
// is.
constexpr std::size_t kLooksInTurn = 2;
constexpr int kWinnersMax = 4;

// Where others lease as well, no count is older than this when a worker picks.
constexpr Duration kCountAgeMax = std::chrono::milliseconds(10);

// Matches that a pick may look into whose winner is left out, before it takes the best it has met.
constexpr int kMatchesMax = 256;

struct LeastConnectionsTable final : Table {
  std::uint64_t id = 0;  // of this table alone
  std::vector<std::uint32_t> weights;
  ServerSet members;
};

struct LeastConnectionsState final : State {
  std::uint64_t table_id = 0;         // of the table that the matches were played for
  std::vector<std::uint32_t> leases;  // of each server, as this worker knows
  // Node 1 is the root, the children of node i are 2 i and 2 i + 1, the second half are the servers
  // in order; none where there is no member.
  std::vector<ServerIndex> winners;
  ServerIndex next_look = {};
  TimePoint looked_at{};  // of the last pick
  bool is_alone = true;   // no other worker leases
};

// A state together with its table.
class Tournament {
 public:
  Tournament(const Table& table, State& state) noexcept
      : table_(static_cast<const LeastConnectionsTable&>(table)),
        state_(static_cast<LeastConnectionsState&>(state)) {
    WEIR_ASSERT(state_.leases.size() == table_.weights.size());
  }

  // Plays every match again if the table is new to the state.
  void adopt_table(LeaseCounters counters) noexcept {
    if (state_.table_id == table_.id) return;
    state_.table_id = table_.id;
    for (std::size_t i = 0; i < counters.size(); ++i) state_.leases[i] = count(counters, i);
    for (std::size_t i = 0; i < state_.leases.size(); ++i) {
      const ServerIndex server = to_server(i);
      state_.winners[first_leaf() + i] =
          table_.members.contains(server) ? server : ServerIndex::none;
    }
    for (std::size_t node = first_leaf() - 1; node > 0; --node) play(node);
  }

  void set_leases(ServerIndex server, std::uint32_t leases) noexcept {
    state_.leases[to_number(server)] = leases;
    if (state_.table_id != table_.id || !table_.members.contains(server)) return;
    for (std::size_t node = (first_leaf() + to_number(server)) / 2; node > 0; node /= 2) {
      const ServerIndex before = state_.winners[node];
      play(node);
      // Above, this server has not won and does not win.
      if (before == state_.winners[node] && before != server) return;
    }
  }
  std::uint32_t leases(ServerIndex server) const noexcept {
    return state_.leases[to_number(server)];
  }

  enum class Found : std::uint8_t { as_known, more };
  Found look_at(ServerIndex server, LeaseCounters counters) noexcept {
    if (counters.empty()) return Found::as_known;
    const std::uint32_t known = leases(server);
    const std::uint32_t now = count(counters, to_number(server));
    if (now != known) set_leases(server, now);
    return now > known ? Found::more : Found::as_known;
  }
  // Looks at so many in turn that all of them have their turn within kCountAgeMax.
  void look_around(LeaseCounters counters, TimePoint now) noexcept {
    const Duration since = std::min(now - std::exchange(state_.looked_at, now), kCountAgeMax);
    std::size_t looks = kLooksInTurn;
    if (!state_.is_alone && since > Duration::zero()) {
      looks = std::max(looks, table_.weights.size() * static_cast<std::size_t>(since.count()) /
                                  static_cast<std::size_t>(kCountAgeMax.count()));
    }
    for (; looks > 0; --looks) look_at_next(counters);
  }
  void look_at_next(LeaseCounters counters) noexcept {
    const ServerIndex server = find_allowed(table_.members, {}, state_.next_look);
    if (server == ServerIndex::none) return;
    look_at(server, counters);
    state_.next_look = static_cast<ServerIndex>(to_number(server) + 1);
  }

  ServerIndex find_best(const PickInput& input) const noexcept {
    Search search{.input = input};
    search_below(kRoot, search);
    if (search.best != ServerIndex::none) return search.best;
    return find_allowed(table_.members, input, state_.next_look);
  }

  // All are considered: the matches that they lost were played when their leases changed.
  void record_all(const PickInput& input, ServerIndex chosen) const noexcept {
    record_left_out(table_.members, input);
    for (std::size_t at = 0; at < table_.members.words(); ++at) {
      for (std::uint64_t left = allowed_word(table_.members, input, at); left != 0;
           left &= left - 1) {
        const ServerIndex server = to_server(at * ServerSet::kWordBits + std::countr_zero(left));
        const double score = static_cast<double>(leases(server)) / weight(server);
        input.record(server, server == chosen ? PickVerdict::chosen : PickVerdict::behind, score);
      }
    }
  }

 private:
  static constexpr std::size_t kRoot = 1;

  struct Search {
    const PickInput& input;
    ServerIndex best = ServerIndex::none;
    int matches_left = kMatchesMax;
  };
  // Looks only where the best so far could be beaten, and only below winners that are left out.
  void search_below(std::size_t node, Search& search) const noexcept {
    const ServerIndex winner = state_.winners[node];
    if (!is_before(winner, search.best)) return;
    if (search.input.allows(winner)) {
      search.best = winner;
      return;
    }
    if (node >= first_leaf() || search.matches_left-- <= 0) return;
    // The loser's side first: what it has narrows the search on the side of the winner. Of equals
    // the left side: what it has is before all equals on the right.
    const std::size_t left = 2 * node;
    const std::size_t first =
        left + (has_fewer(state_.winners[left], state_.winners[left + 1]) ? 1 : 0);
    search_below(first, search);
    search_below(first ^ 1, search);
  }

  static std::uint32_t count(LeaseCounters counters, std::size_t number) noexcept {
    return counters[number]->load(std::memory_order_relaxed);
  }
  std::uint32_t weight(ServerIndex server) const noexcept {
    return table_.weights[to_number(server)];
  }
  std::size_t first_leaf() const noexcept { return state_.winners.size() / 2; }
  void play(std::size_t node) noexcept {
    const ServerIndex left = state_.winners[2 * node];
    const ServerIndex right = state_.winners[2 * node + 1];
    state_.winners[node] = is_before(right, left) ? right : left;
  }
  // Leases for its weight. Everybody has fewer than nobody.
  bool has_fewer(ServerIndex a, ServerIndex b) const noexcept {
    if (a == ServerIndex::none || b == ServerIndex::none) return a < b;
    return std::uint64_t{leases(a)} * weight(b) < std::uint64_t{leases(b)} * weight(a);
  }
  // The first listed of equals.
  bool is_before(ServerIndex a, ServerIndex b) const noexcept {
    return has_fewer(a, b) || (a < b && !has_fewer(b, a));
  }

  const LeastConnectionsTable& table_;
  LeastConnectionsState& state_;
};

}  // namespace

std::unique_ptr<const Table> LeastConnectionsPicker::build(std::span<const ServerSpec> servers,
                                                           const ServerSet& candidates) const {
  static std::atomic<std::uint64_t> tables_built{0};
  auto table = std::make_unique<LeastConnectionsTable>();
  table->id = tables_built.fetch_add(1, std::memory_order_relaxed) + 1;
  table->members = members_of(servers, candidates);
  for (const ServerSpec& server : servers) table->weights.push_back(server.weight);
  return table;
}

std::unique_ptr<State> LeastConnectionsPicker::start(const Table& table, WorkerIndex,
                                                     std::uint16_t workers) const {
  const std::size_t servers = static_cast<const LeastConnectionsTable&>(table).weights.size();
  auto state = std::make_unique<LeastConnectionsState>();
  state->leases.resize(servers);
  state->winners.resize(2 * std::bit_ceil(servers), ServerIndex::none);
  state->is_alone = workers == 1;
  return state;
}

std::unique_ptr<State> LeastConnectionsPicker::copy(const State& state) const {
  return std::make_unique<LeastConnectionsState>(static_cast<const LeastConnectionsState&>(state));
}

ServerIndex LeastConnectionsPicker::pick(const Table& table, State& state,
                                         const PickInput& input) const noexcept {
  Tournament tournament(table, state);
  tournament.adopt_table(input.leases);
  tournament.look_around(input.leases, input.now);
  ServerIndex best = tournament.find_best(input);
  for (int i = 1; i < kWinnersMax && best != ServerIndex::none; ++i) {
    if (tournament.look_at(best, input.leases) == Tournament::Found::as_known) break;
    best = tournament.find_best(input);
  }
  if (input.recorder != nullptr) tournament.record_all(input, best);
  return best;
}

void LeastConnectionsPicker::on_lease(const Table& table, State& state, ServerIndex server,
                                      TimePoint) const noexcept {
  Tournament tournament(table, state);
  tournament.set_leases(server, tournament.leases(server) + 1);
}

void LeastConnectionsPicker::on_release(const Table& table, State& state, ServerIndex server,
                                        AttemptEnd, TimePoint) const noexcept {
  Tournament tournament(table, state);
  // A lease may be older than this state.
  const std::uint32_t leases = tournament.leases(server);
  if (leases > 0) tournament.set_leases(server, leases - 1);
}

}  // namespace weir::balance
