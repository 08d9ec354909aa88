#include "balance/round_robin.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace weir::balance {
namespace {

// A cycle of more entries, or one that takes more comparisons to write, has its weights scaled
// down. Measured: the longest build within both bounds takes about 20 ms.
constexpr std::uint64_t kCycleMax = std::uint64_t{1} << 20;
constexpr std::uint64_t kBuildStepsMax = std::uint64_t{1} << 24;

// How many displaced turns in a row may fall on servers that are left out before a pick stops
// following the cycle.
constexpr std::size_t kProbesMax = 64;

struct RoundRobinTable final : Table {
  std::vector<ServerIndex> cycle;
  ServerSet members;  // those in the cycle
};

struct RoundRobinState final : State {
  std::uint32_t length = 0;     // of the cycle that the two places belong to
  std::uint32_t position = 0;   // whose turn is next
  std::uint32_t displaced = 0;  // who takes over the next turn of a server that is left out
  ServerIndex spare = {};       // where the search goes on when the displaced turns found nobody
};

// Servers of one weight take turns among themselves: one with fewer turns has more credit, and the
// first listed wins a tie. So only the one in front has to be compared with other weights, and
// writing the cycle costs its length times the number of different weights, not of servers.
struct WeightGroup {
  std::uint32_t weight = 0;
  std::vector<ServerIndex> servers = {};
  std::size_t front = 0;
  std::int64_t credit = 0;  // of the server in front
};

struct Groups {
  std::vector<WeightGroup> groups;
  std::uint64_t weight_sum = 0;

  bool is_within_bounds() const {
    return weight_sum <= kCycleMax && weight_sum * groups.size() <= kBuildStepsMax;
  }
};

// There is a member. Weights are divided by 2^shift, rounded, at least 1, and then by what divides
// them all.
Groups group_by_weight(std::span<const ServerSpec> servers, const ServerSet& members,
                       unsigned shift) {
  std::map<std::uint32_t, std::vector<ServerIndex>> by_weight;
  for (std::size_t number = 0; number < servers.size(); ++number) {
    if (!members.contains(to_server(number))) continue;
    const std::uint32_t half = (std::uint32_t{1} << shift) / 2;
    const std::uint32_t weight = std::max(1U, (servers[number].weight + half) >> shift);
    by_weight[weight].push_back(to_server(number));
  }
  std::uint32_t divisor = by_weight.begin()->first;
  for (const auto& [weight, group] : by_weight) divisor = std::gcd(divisor, weight);
  Groups result;
  for (auto& [weight, group] : by_weight) {
    result.weight_sum += std::uint64_t{weight / divisor} * group.size();
    result.groups.push_back({.weight = weight / divisor, .servers = std::move(group)});
  }
  return result;
}

bool is_before(const WeightGroup& a, const WeightGroup& b) {
  if (a.credit != b.credit) return a.credit > b.credit;
  return a.servers[a.front] < b.servers[b.front];
}

std::vector<ServerIndex> write_smooth_cycle(Groups input) {
  std::vector<ServerIndex> cycle(input.weight_sum);
  for (ServerIndex& turn : cycle) {
    WeightGroup* best = &input.groups.front();
    for (WeightGroup& group : input.groups) {
      group.credit += group.weight;
      if (is_before(group, *best)) best = &group;
    }
    turn = best->servers[best->front];
    // Whoever is in front next has the same credit, until everybody of this weight has paid.
    if (++best->front == best->servers.size()) {
      best->front = 0;
      best->credit -= static_cast<std::int64_t>(input.weight_sum);
    }
  }
  return cycle;
}

std::vector<ServerIndex> write_block_cycle(const Groups& input) {
  std::vector<std::pair<ServerIndex, std::uint32_t>> blocks;
  for (const WeightGroup& group : input.groups) {
    for (const ServerIndex server : group.servers) blocks.emplace_back(server, group.weight);
  }
  std::ranges::sort(blocks);
  std::vector<ServerIndex> cycle;
  cycle.reserve(input.weight_sum);
  for (const auto& [server, weight] : blocks) cycle.insert(cycle.end(), weight, server);
  return cycle;
}

std::uint32_t scale(std::uint32_t place, std::uint32_t from, std::uint32_t to) noexcept {
  return static_cast<std::uint32_t>(std::uint64_t{place} * to / from);
}

// A cycle of another length (weights or candidates changed) goes on from the same point of the way
// round.
void fit(RoundRobinState& state, std::uint32_t length) noexcept {
  if (state.length == length) return;
  state.position = scale(state.position, state.length, length);
  state.displaced = scale(state.displaced, state.length, length);
  state.length = length;
}

ServerIndex take_turn(const RoundRobinTable& table, std::uint32_t& place) noexcept {
  const ServerIndex server = table.cycle[place];
  if (++place == table.cycle.size()) place = 0;
  return server;
}

// The turn of a server that is left out goes to the others by their shares, because a second place
// moves over the same cycle; its successor would otherwise get both.
ServerIndex pick_displaced(const RoundRobinTable& table, RoundRobinState& state,
                           const PickInput& input) noexcept {
  const std::size_t probes = std::min(kProbesMax, table.cycle.size());
  for (std::size_t probe = 0; probe < probes; ++probe) {
    const std::uint32_t place = state.displaced;
    const ServerIndex server = take_turn(table, state.displaced);
    if (!input.allows(server)) continue;
    input.record(server, PickVerdict::chosen, place);
    return server;
  }
  const ServerIndex server = find_allowed(table.members, input, state.spare);
  input.record(server, PickVerdict::chosen);
  if (server != ServerIndex::none) state.spare = static_cast<ServerIndex>(to_number(server) + 1);
  return server;
}

}  // namespace

std::unique_ptr<const Table> RoundRobinPicker::build(std::span<const ServerSpec> servers,
                                                     const ServerSet& candidates) const {
  auto table = std::make_unique<RoundRobinTable>();
  table->members = members_of(servers, candidates);
  if (table->members.is_empty()) return table;
  unsigned shift = 0;
  Groups groups = group_by_weight(servers, table->members, shift);
  while (!groups.is_within_bounds()) groups = group_by_weight(servers, table->members, ++shift);
  table->cycle = settings_.order == TurnOrder::block ? write_block_cycle(groups)
                                                     : write_smooth_cycle(std::move(groups));
  return table;
}

std::unique_ptr<State> RoundRobinPicker::start(const Table&, WorkerIndex worker,
                                               std::uint16_t workers) const {
  WEIR_ASSERT(static_cast<std::uint16_t>(worker) < workers);
  // The first pick finds w/W of its cycle here: it is place w in a cycle of length W.
  auto state = std::make_unique<RoundRobinState>();
  state->length = workers;
  state->position = static_cast<std::uint32_t>(worker);
  state->displaced = state->position;
  return state;
}

std::unique_ptr<State> RoundRobinPicker::copy(const State& state) const {
  return std::make_unique<RoundRobinState>(static_cast<const RoundRobinState&>(state));
}

ServerIndex RoundRobinPicker::pick(const Table& table, State& state,
                                   const PickInput& input) const noexcept {
  const auto& turns = static_cast<const RoundRobinTable&>(table);
  auto& own = static_cast<RoundRobinState&>(state);
  if (turns.cycle.empty()) return ServerIndex::none;
  fit(own, static_cast<std::uint32_t>(turns.cycle.size()));
  const std::uint32_t place = own.position;
  const ServerIndex due = take_turn(turns, own.position);
  if (!input.allows(due)) return pick_displaced(turns, own, input);
  input.record(due, PickVerdict::chosen, place);
  return due;
}

}  // namespace weir::balance
