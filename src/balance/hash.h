#pragma once
// The server that the hash of a key says, so that the same key finds the same server: on every
// worker, and in every Weir with the same servers. What the key is and how it is put together is
// the caller's.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "balance/hash_function.h"
#include "balance/picker.h"
#include "config/description.h"
#include "config/problem.h"

namespace weir::balance {

enum class HashMethod : std::uint8_t { ring, ketama, rendezvous, maglev, modulo };
constexpr auto names_of(HashMethod) {
  return std::to_array<std::pair<std::string_view, HashMethod>>({
      {"ring", HashMethod::ring},
      {"ketama", HashMethod::ketama},
      {"rendezvous", HashMethod::rendezvous},
      {"maglev", HashMethod::maglev},
      {"modulo", HashMethod::modulo},
  });
}

// What of a server its places are derived from.
enum class ServerKey : std::uint8_t { name, address };
constexpr auto names_of(ServerKey) {
  return std::to_array<std::pair<std::string_view, ServerKey>>(
      {{"name", ServerKey::name}, {"address", ServerKey::address}});
}

// Primes, so that every size between them has one on either side.
inline constexpr std::uint32_t kTableSizeMin = 2;
inline constexpr std::uint32_t kTableSizeMax = 1'048'573;

struct HashSettings {
  config::Located<std::string> key = std::string("${client.address}");
  config::Located<HashMethod> method = HashMethod::ring;
  std::optional<HashFunction> function;
  std::uint32_t points = 160;
  std::uint32_t points_min = 0;
  config::Located<std::uint32_t> table_size = 65'537;
  std::optional<double> load_max;
  config::Located<std::optional<ServerKey>> server_key;

  // What hash_key() takes.
  HashFunction function_in_use() const noexcept;
  ServerKey server_key_in_use() const noexcept;
};

template <class V>
void describe(V& v, HashSettings& s) {
  v.field(
       "key", s.key,
       "What is hashed: text with ${...} values. A request in which all of them are missing goes "
       "to a random server.")
      .length_min(1)
      .length_max(4096);
  v.field("method", s.method, "How the hash of a key leads to a server.");
  v.field("function", s.function,
          "The hash function of the key; without it, md5 for ketama and wyhash for the others.");
  v.field("points", s.points, "ring: points of a server of average weight.").range(1, 10'000);
  v.field("points_min", s.points_min, "ring: points of all servers together, at least.")
      .range(0, 1'048'576);
  v.field("table_size", s.table_size, "maglev: slots of the table, a prime.")
      .range(kTableSizeMin, kTableSizeMax);
  v.field("load_max", s.load_max,
          "A server gets at most this many times its share of the attempts in flight, rounded up; "
          "what is above goes to the next server of its key. Without it there is no bound.")
      .range(1.01, 100);
  v.field("server_key", s.server_key,
          "What of the servers decides which keys are theirs; without it, address for ketama and "
          "name for the others.");
}

// What the range of one setting cannot say: all servers of the backend are named.
void check(const HashSettings& settings, std::span<const ServerSpec> servers,
           config::Problems& problems);

class HashPicker final : public Picker {
 public:
  explicit HashPicker(HashSettings settings = {}) : settings_(std::move(settings)) {}

  std::unique_ptr<const Table> build(std::span<const ServerSpec> servers,
                                     const ServerSet& candidates) const override;
  std::unique_ptr<State> start(const Table& table, WorkerIndex worker,
                               std::uint16_t workers) const override;
  std::unique_ptr<State> copy(const State& state) const override;
  ServerIndex pick(const Table& table, State& state,
                   const PickInput& input) const noexcept override;
  void on_lease(const Table& table, State& state, ServerIndex server,
                TimePoint now) const noexcept override;
  void on_release(const Table& table, State& state, ServerIndex server, AttemptEnd end,
                  TimePoint now) const noexcept override;

 private:
  HashSettings settings_;
};

}  // namespace weir::balance
