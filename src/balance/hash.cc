#include "balance/hash.h"

#include <bit>
#include <fmt/format.h>
#include <map>

#include "balance/key_order.h"
#include "balance/maglev.h"
#include "balance/modulo.h"
#include "balance/rendezvous.h"
#include "balance/ring.h"

namespace weir::balance {
namespace {

struct HashTable final : Table {
  std::unique_ptr<const KeyOrder> order;
  ServerSet members;
  std::optional<LoadShares> shares;  // with load_max
};

struct HashState final : State {
  KnownLeases known;  // with load_max
};

std::string_view key_of(const ServerSpec& server, ServerKey key) noexcept {
  return key == ServerKey::name ? server.name : server.address;
}

// Candidates have one level; without any, nobody has a place.
std::vector<Peer> find_peers(std::span<const ServerSpec> servers, const ServerSet& members,
                             ServerKey key) {
  const ServerIndex first = find_allowed(members, {}, to_server(0));
  if (first == ServerIndex::none) return {};
  std::vector<Peer> peers;
  for (std::size_t number = 0; number < servers.size(); ++number) {
    const ServerSpec& server = servers[number];
    if (server.weight == 0 || server.level != servers[to_number(first)].level) continue;
    peers.push_back({.server = to_server(number),
                     .weight = server.weight,
                     .key = key_of(server, key),
                     .is_member = members.contains(to_server(number))});
  }
  return peers;
}

std::unique_ptr<const KeyOrder> make_order(const HashSettings& settings,
                                           std::span<const Peer> peers) {
  switch (*settings.method) {
    case HashMethod::ring:
      return make_ring(peers, {.points = settings.points, .points_min = settings.points_min});
    case HashMethod::ketama:
      return make_ketama(peers);
    case HashMethod::rendezvous:
      return make_rendezvous(peers);
    case HashMethod::maglev:
      return make_maglev(peers, *settings.table_size);
    case HashMethod::modulo:
      return make_modulo(peers);
  }
}

// The first member that the gate admits, from a place that the hash says.
ServerIndex find_any(const ServerSet& members, std::uint64_t hash, const Gate& gate) noexcept {
  const std::size_t places = members.words() * ServerSet::kWordBits;
  const std::size_t from = scale_hash(rehash(hash, 0), places);
  for (std::size_t step = 0; step < places; ++step) {
    const auto server = static_cast<ServerIndex>((from + step) % places);
    if (members.contains(server) && gate.admits(server)) return server;
  }
  return ServerIndex::none;
}

ServerIndex find(const HashTable& table, std::uint64_t hash, const Gate& gate) noexcept {
  const ServerIndex server = table.order->find(hash, gate);
  return server != ServerIndex::none ? server : find_any(table.members, hash, gate);
}

// The chosen one comes first, and then all others that the pick could have found.
void record_loads(const HashTable& table, const LoadBound& bound, const PickInput& input,
                  ServerIndex chosen) noexcept {
  if (input.recorder == nullptr || chosen == ServerIndex::none) return;
  input.record(chosen, PickVerdict::chosen, bound.load(chosen));
  for (std::size_t at = 0; at < table.members.words(); ++at) {
    for (std::uint64_t left = allowed_word(table.members, input, at); left != 0; left &= left - 1) {
      const ServerIndex server = to_server(at * ServerSet::kWordBits + std::countr_zero(left));
      input.record(server, PickVerdict::behind, bound.load(server));
    }
  }
}

ServerIndex pick_bounded(const HashTable& table, HashState& state, std::uint64_t hash,
                         const PickInput& input) noexcept {
  const LoadBound bound(*table.shares, state.known, input.leases);
  bound.look_at_next();
  ServerIndex server = find(table, hash, Gate(input, &bound));
  // Whoever has room is left out: better above the bound than nowhere.
  if (server == ServerIndex::none) server = find(table, hash, Gate(input, nullptr));
  record_loads(table, bound, input, server);
  return server;
}

void check_table_size(const HashSettings& settings, std::size_t servers,
                      config::Problems& problems) {
  if (*settings.method != HashMethod::maglev) return;
  const std::uint64_t size = *settings.table_size;
  if (size < 2) return;  // out of its range, which is reported already
  if (!is_prime(size)) {
    std::uint64_t below = size;
    std::uint64_t above = size;
    while (!is_prime(below)) --below;
    while (!is_prime(above)) ++above;
    problems.error(settings.table_size.position,
                   fmt::format("table_size must be a prime, as {} and {} are, and {} is none",
                               below, above, size));
  } else if (size < servers) {
    problems.error(settings.table_size.position,
                   fmt::format("a table of {} slots has no place for {} servers", size, servers));
  }
}

void check_count(const HashSettings& settings, std::size_t servers, config::Problems& problems) {
  const auto refuse_above = [&](std::string_view method, std::size_t servers_max) {
    if (servers <= servers_max) return;
    problems.error(settings.method.position,
                   fmt::format("{} is for up to {} servers, and these are {}: use ring or maglev",
                               method, servers_max, servers));
  };
  if (*settings.method == HashMethod::rendezvous) refuse_above("rendezvous", kRendezvousMax);
  if (*settings.method == HashMethod::ketama) refuse_above("ketama", kKetamaMax);
}

// Modulo goes by the order of the servers alone.
void check_keys(const HashSettings& settings, std::span<const ServerSpec> servers,
                config::Problems& problems) {
  if (settings.server_key_in_use() == ServerKey::name || *settings.method == HashMethod::modulo) {
    return;
  }
  const config::Position position =
      *settings.server_key ? settings.server_key.position : settings.method.position;
  std::map<std::string_view, std::string_view> names;
  for (const ServerSpec& server : servers) {
    const auto [same, is_new] = names.emplace(server.address, server.name);
    if (is_new) continue;
    problems.error(position, fmt::format("servers '{}' and '{}' have the same address, which is to "
                                         "say which keys are theirs: use server_key: name",
                                         same->second, server.name));
  }
}

}  // namespace

HashFunction HashSettings::function_in_use() const noexcept {
  return function.value_or(*method == HashMethod::ketama ? HashFunction::md5
                                                         : HashFunction::wyhash);
}

ServerKey HashSettings::server_key_in_use() const noexcept {
  return server_key->value_or(*method == HashMethod::ketama ? ServerKey::address : ServerKey::name);
}

void check(const HashSettings& settings, std::span<const ServerSpec> servers,
           config::Problems& problems) {
  check_table_size(settings, servers.size(), problems);
  check_count(settings, servers.size(), problems);
  check_keys(settings, servers, problems);
}

std::unique_ptr<const Table> HashPicker::build(std::span<const ServerSpec> servers,
                                               const ServerSet& candidates) const {
  auto table = std::make_unique<HashTable>();
  table->members = members_of(servers, candidates);
  table->order =
      make_order(settings_, find_peers(servers, table->members, settings_.server_key_in_use()));
  if (settings_.load_max) table->shares.emplace(servers, table->members, *settings_.load_max);
  return table;
}

std::unique_ptr<State> HashPicker::start(const Table& table, WorkerIndex, std::uint16_t) const {
  auto state = std::make_unique<HashState>();
  const auto& shares = static_cast<const HashTable&>(table).shares;
  if (shares) state->known.leases.resize(shares->weights.size());
  return state;
}

std::unique_ptr<State> HashPicker::copy(const State& state) const {
  return std::make_unique<HashState>(static_cast<const HashState&>(state));
}

ServerIndex HashPicker::pick(const Table& table, State& state,
                             const PickInput& input) const noexcept {
  const auto& own = static_cast<const HashTable&>(table);
  const std::uint64_t hash = input.hash.value_or(input.random);
  if (own.shares) return pick_bounded(own, static_cast<HashState&>(state), hash, input);
  const ServerIndex server = find(own, hash, Gate(input, nullptr));
  input.record(server, PickVerdict::chosen);
  return server;
}

void HashPicker::on_lease(const Table& table, State& state, ServerIndex server,
                          TimePoint) const noexcept {
  const auto& own = static_cast<const HashTable&>(table);
  if (!own.shares) return;
  LoadBound(*own.shares, static_cast<HashState&>(state).known, {}).on_lease(server);
}

void HashPicker::on_release(const Table& table, State& state, ServerIndex server, AttemptEnd,
                            TimePoint) const noexcept {
  const auto& own = static_cast<const HashTable&>(table);
  if (!own.shares) return;
  LoadBound(*own.shares, static_cast<HashState&>(state).known, {}).on_release(server);
}

}  // namespace weir::balance
