#include "balance/remap_table.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

#include "base/random.h"

namespace weir::balance {
namespace {

constexpr std::size_t kKeys = 10'000;
constexpr std::size_t kServers = 10;
constexpr std::size_t kPopularKeys = 1'000;
constexpr double kLoadMaxima[] = {1.1, 1.25, 1.5, 2};

std::span<const std::string> server_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> made;
    for (std::size_t i = 0; i < kServers; ++i) made.push_back(fmt::format("server-{}", i));
    return made;
  }();
  return names;
}

std::vector<ServerSpec> make_servers(std::size_t servers) {
  std::vector<ServerSpec> made;
  for (const std::string& name : server_names().first(servers)) {
    made.push_back({.name = name, .address = name});
  }
  return made;
}

std::uint64_t hash_of_key(const HashSettings& settings, std::size_t number) {
  return hash_key(settings.function_in_use(), fmt::format("key-{}", number));
}

// The server of each key.
std::vector<ServerIndex> place_keys(const HashSettings& settings, std::size_t servers,
                                    const ServerSet& candidates) {
  const HashPicker picker(settings);
  const auto table = picker.build(make_servers(servers), candidates);
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  std::vector<ServerIndex> placed;
  for (std::size_t key = 0; key < kKeys; ++key) {
    placed.push_back(picker.pick(*table, *state, {.hash = hash_of_key(settings, key)}));
  }
  return placed;
}

std::vector<ServerIndex> place_keys(const HashSettings& settings, std::size_t servers) {
  return place_keys(settings, servers, ServerSet::all(servers));
}

// `changed` is the server that came or went.
Remap compare(std::span<const ServerIndex> before, std::span<const ServerIndex> after,
              ServerIndex changed) {
  std::size_t moved = 0;
  std::size_t astray = 0;
  for (std::size_t key = 0; key < before.size(); ++key) {
    if (before[key] == after[key]) continue;
    ++moved;
    if (before[key] != changed && after[key] != changed) ++astray;
  }
  const auto keys = static_cast<double>(before.size());
  return {.moved = static_cast<double>(moved) / keys, .astray = static_cast<double>(astray) / keys};
}

double fullest_by_mean(std::span<const std::size_t> counts) {
  std::size_t sum = 0;
  for (const std::size_t count : counts) sum += count;
  const double mean = static_cast<double>(sum) / static_cast<double>(counts.size());
  return static_cast<double>(std::ranges::max(counts)) / mean;
}

// The number of a key, by its popularity.
class PopularKeys {
 public:
  PopularKeys() {
    double sum = 0;
    for (std::size_t rank = 1; rank <= kPopularKeys; ++rank) {
      sums_.push_back(sum += 1.0 / static_cast<double>(rank));
    }
  }
  std::size_t draw(Random& random) const {
    const double drawn = static_cast<double>(random.next() >> 11) * 0x1p-53 * sums_.back();
    return static_cast<std::size_t>(std::ranges::upper_bound(sums_, drawn) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

void write_remap(std::string& out) {
  const auto percent = [](double part) { return fmt::format("{:.1f} %", part * 100); };
  for (const auto& [name, method] : names_of(HashMethod{})) {
    HashSettings settings;
    settings.method = method;
    const RemapNumbers numbers = measure_remap(settings);
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} | {} | {} | {} | {:.2f} |\n",
                   name, percent(numbers.added.moved), percent(numbers.added.astray),
                   percent(numbers.removed.moved), percent(numbers.removed.astray),
                   percent(numbers.out.moved), percent(numbers.out.astray), numbers.fullest);
  }
}

void write_overflow(std::string& out) {
  for (const auto& [name, method] : names_of(HashMethod{})) {
    HashSettings settings;
    settings.method = method;
    fmt::format_to(std::back_inserter(out), "| `{}` | {:.2f} |", name,
                   measure_overflow(settings).fullest);
    for (const double load_max : kLoadMaxima) {
      settings.load_max = load_max;
      const OverflowNumbers numbers = measure_overflow(settings);
      fmt::format_to(std::back_inserter(out), " {:.1f} % ({:.2f}) |", numbers.overflow * 100,
                     numbers.fullest);
    }
    out += '\n';
  }
}

}  // namespace

RemapNumbers measure_remap(const HashSettings& settings) {
  const auto on_three = place_keys(settings, 3);
  const auto on_four = place_keys(settings, 4);
  const auto on_ten = place_keys(settings, kServers);
  const ServerIndex gone = to_server(3);
  ServerSet nine = ServerSet::all(kServers);
  nine.erase(gone);
  std::size_t counts[kServers] = {};
  for (const ServerIndex server : on_ten) ++counts[to_number(server)];
  return {.added = compare(on_three, on_four, gone),
          .removed = compare(on_four, on_three, gone),
          .out = compare(on_ten, place_keys(settings, kServers, nine), gone),
          .fullest = fullest_by_mean(counts)};
}

OverflowNumbers measure_overflow(const HashSettings& settings) {
  HashSettings unbounded = settings;
  unbounded.load_max.reset();
  const auto first_servers = place_keys(unbounded, kServers);

  const HashPicker picker(settings);
  const auto table = picker.build(make_servers(kServers), ServerSet::all(kServers));
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  const PopularKeys keys;
  Random random(1);
  std::size_t counts[kServers] = {};
  std::size_t overflow = 0;
  for (std::size_t attempt = 0; attempt < kKeys; ++attempt) {
    const std::size_t key = keys.draw(random);
    const ServerIndex picked = picker.pick(*table, *state, {.hash = hash_of_key(settings, key)});
    picker.on_lease(*table, *state, picked, {});
    ++counts[to_number(picked)];
    if (picked != first_servers[key]) ++overflow;
  }
  return {.overflow = static_cast<double>(overflow) / kKeys, .fullest = fullest_by_mean(counts)};
}

std::string remap_reference() {
  std::string out =
      "# Keys that move\n\n"
      "What the methods of [`hash`](hash.md) do to 10,000 keys on servers of equal weight, with\n"
      "the defaults of their settings. *Astray* are keys that moved from one server that stays to\n"
      "another that was there before.\n\n"
      "| method | 3 → 4 servers | astray | 4 → 3 servers | astray | 1 of 10 is out | astray "
      "| fullest of 10, by the mean |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  write_remap(out);
  out +=
      "\nWith `load_max`: 10,000 attempts in flight on ten servers, of 1,000 keys as popular as\n"
      "1, 1/2, 1/3 to 1/1000. How many are not on the first server of their key, and what the\n"
      "fullest server has, by the mean.\n\n"
      "| method | no bound |";
  for (const double load_max : kLoadMaxima) {
    fmt::format_to(std::back_inserter(out), " {} |", load_max);
  }
  out += "\n| --- | --- | --- | --- | --- | --- |\n";
  write_overflow(out);
  return out;
}

}  // namespace weir::balance
