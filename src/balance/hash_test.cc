#include "balance/hash.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <string>

#include "balance/balance_test_support.h"
#include "balance/maglev.h"
#include "balance/remap_table.h"
#include "base/random.h"

namespace weir::balance {
namespace {

using test::LeaseCounts;
using test::make_servers;

HashSettings settings_of(HashMethod method) {
  HashSettings settings;
  settings.method = method;
  return settings;
}

// The only worker of a backend.
class Keys {
 public:
  Keys(const HashSettings& settings, std::vector<ServerSpec> servers)
      : settings_(settings), picker_(settings), servers_(std::move(servers)) {
    set_candidates(ServerSet::all(servers_.size()));
    state_ = picker_.start(*table_, WorkerIndex{0}, 1);
  }

  void set_candidates(const ServerSet& candidates) { table_ = picker_.build(servers_, candidates); }
  ServerIndex pick(std::string_view key, PickInput input = {}) {
    input.hash = hash_key(settings_.function_in_use(), key);
    return pick(input);
  }
  ServerIndex pick(const PickInput& input) { return picker_.pick(*table_, *state_, input); }
  void lease(ServerIndex server) { picker_.on_lease(*table_, *state_, server, {}); }
  void release(ServerIndex server) { picker_.on_release(*table_, *state_, server, {}, {}); }

 private:
  HashSettings settings_;
  HashPicker picker_;
  std::vector<ServerSpec> servers_;
  std::unique_ptr<const Table> table_;
  std::unique_ptr<State> state_;
};

std::string key_of(int number) { return "key-" + std::to_string(number); }

class EveryMethod : public testing::TestWithParam<std::pair<std::string_view, HashMethod>> {
 protected:
  HashMethod method() const { return GetParam().second; }
  HashSettings settings() const { return settings_of(method()); }
};

INSTANTIATE_TEST_SUITE_P(Hash, EveryMethod, testing::ValuesIn(names_of(HashMethod{})),
                         [](const auto& info) { return std::string(info.param.first); });

TEST_P(EveryMethod, GivesAKeyTheSameServerInEveryWeir) {
  Keys one(settings(), make_servers(7));
  Keys other(settings(), make_servers(7));
  for (int i = 0; i < 1000; ++i) {
    const ServerIndex server = one.pick(key_of(i));
    ASSERT_EQ(one.pick(key_of(i)), server);
    ASSERT_EQ(other.pick(key_of(i)), server);
  }
}

TEST_P(EveryMethod, GoesByTheNamesAndNotByTheirOrder) {
  if (method() == HashMethod::modulo) GTEST_SKIP() << "It goes by the order.";
  auto servers = make_servers({5, 3, 2, 1, 1});
  Keys keys(settings(), servers);
  std::ranges::reverse(servers);
  Keys reversed(settings(), servers);
  int moved = 0;
  for (int i = 0; i < 1000; ++i) {
    moved += to_number(keys.pick(key_of(i))) == 4 - to_number(reversed.pick(key_of(i))) ? 0 : 1;
  }
  // In Maglev the order decides who fills the last slots.
  EXPECT_LE(moved, method() == HashMethod::maglev ? 50 : 0);
}

TEST_P(EveryMethod, SpreadsKeysByWeight) {
  constexpr int kKeys = 20'000;
  // Where the points of a ring fall is chance.
  const bool is_ring = method() == HashMethod::ring || method() == HashMethod::ketama;
  Keys keys(settings(), make_servers({1, 2, 3, 4}));
  int counts[4] = {};
  for (int i = 0; i < kKeys; ++i) ++counts[to_number(keys.pick(key_of(i)))];
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(counts[i], kKeys * (i + 1) / 10.0, kKeys * (is_ring ? 0.05 : 0.01)) << i;
  }
}

// 1000 keys over three servers with 150 points each, for many threes: within a tenth as a rule,
// which is the standard deviation here.
TEST_P(EveryMethod, SpreadsAThousandKeysOverThreeServersWithinATenth) {
  constexpr int kThrees = 100;
  HashSettings with_points = settings();
  with_points.points = 150;
  const auto servers = make_servers(3 * kThrees);
  double squares = 0;
  for (int three = 0; three < kThrees; ++three) {
    const auto first = servers.begin() + std::ptrdiff_t{3} * three;
    Keys keys(with_points, {first, first + 3});
    int counts[3] = {};
    for (int i = 0; i < 1000; ++i) ++counts[to_number(keys.pick(key_of(i)))];
    for (const int count : counts) squares += std::pow(count * 3 / 1000.0 - 1, 2);
  }
  EXPECT_LT(std::sqrt(squares / (3 * kThrees)), 0.1);
}

TEST_P(EveryMethod, MovesTheKeysOfAFailedServerAndNoOthers) {
  constexpr int kKeys = 5000;
  Keys keys(settings(), make_servers({3, 1, 2, 1, 3, 1, 1, 2}));
  std::vector<ServerIndex> before;
  for (int i = 0; i < kKeys; ++i) before.push_back(keys.pick(key_of(i)));
  ServerSet candidates = ServerSet::all(8);
  candidates.erase(to_server(2));
  keys.set_candidates(candidates);
  int astray = 0;
  int taken_over[8] = {};
  for (int i = 0; i < kKeys; ++i) {
    const ServerIndex after = keys.pick(key_of(i));
    ASSERT_NE(after, to_server(2));
    if (before[i] == to_server(2)) {
      ++taken_over[to_number(after)];
    } else {
      astray += after == before[i] ? 0 : 1;
    }
  }
  EXPECT_LE(astray, method() == HashMethod::maglev ? kKeys * 3 / 100 : 0);
  // All others take over some.
  EXPECT_EQ(std::ranges::count(taken_over, 0), 1);

  keys.set_candidates(ServerSet::all(8));
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(keys.pick(key_of(i)), before[i]);
}

TEST_P(EveryMethod, LeavesAKeyItsServerWhenAnotherIsLeftOut) {
  Keys keys(settings(), make_servers(6));
  ServerSet excluded(6);
  excluded.insert(to_server(1));
  for (int i = 0; i < 1000; ++i) {
    const ServerIndex own = keys.pick(key_of(i));
    const ServerIndex without = keys.pick(key_of(i), {.excluded = &excluded});
    ASSERT_NE(without, to_server(1));
    if (own != to_server(1)) ASSERT_EQ(without, own);
    const ServerIndex tried[] = {own};
    const ServerIndex next = keys.pick(key_of(i), {.tried = tried});
    ASSERT_NE(next, own);
    ASSERT_EQ(keys.pick(key_of(i), {.tried = tried}), next);
  }
}

// The next server of a key is the same whether its own is left out or gone, so that a retry finds
// what the key will find from then on.
TEST_P(EveryMethod, GoesOnWhereTheKeyWillGoWithoutItsServer) {
  if (method() == HashMethod::maglev) GTEST_SKIP() << "Its table is another one then.";
  Keys keys(settings(), make_servers(6));
  Keys without(settings(), make_servers(6));
  ServerSet candidates = ServerSet::all(6);
  candidates.erase(to_server(4));
  without.set_candidates(candidates);
  const ServerIndex tried[] = {to_server(4)};
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(keys.pick(key_of(i), {.tried = tried}), without.pick(key_of(i)));
  }
}

TEST_P(EveryMethod, SpreadsWithoutAKey) {
  constexpr int kPicks = 20'000;
  Keys keys(settings(), make_servers(4));
  Random random(1);
  int counts[4] = {};
  for (int i = 0; i < kPicks; ++i) ++counts[to_number(keys.pick({.random = random.next()}))];
  for (const int count : counts) EXPECT_NEAR(count, kPicks / 4.0, kPicks / 25.0);
}

TEST_P(EveryMethod, SpreadsWithEveryFunction) {
  constexpr int kKeys = 20'000;
  for (const auto& [name, function] : names_of(HashFunction{})) {
    HashSettings with_function = settings();
    with_function.function = function;
    Keys keys(with_function, make_servers(4));
    int counts[4] = {};
    for (int i = 0; i < kKeys; ++i) ++counts[to_number(keys.pick(key_of(i)))];
    for (const int count : counts) EXPECT_NEAR(count, kKeys / 4.0, kKeys / 25.0) << name;
  }
}

TEST_P(EveryMethod, KeepsServersWithinTheBoundOfTheirShares) {
  for (const double load_max : {1.01, 1.25, 2.0}) {
    HashSettings bounded = settings();
    bounded.load_max = load_max;
    const std::uint32_t weights[] = {1, 2, 3, 4, 5, 1, 1, 1, 1, 1};
    Keys keys(bounded, make_servers(weights));
    LeaseCounts leases(10);
    Random random(3);
    std::vector<ServerIndex> held;
    for (int i = 0; i < 20'000; ++i) {
      // Few keys, one of which is half of all; what is in flight goes up and down.
      if (random.below(1000) < held.size()) {
        std::swap(held[random.below(static_cast<std::uint32_t>(held.size()))], held.back());
        --leases[held.back()];
        keys.release(held.back());
        held.pop_back();
      }
      const std::string key = key_of(random.below(2) == 0 ? 0 : static_cast<int>(random.below(50)));
      const ServerIndex picked = keys.pick(key, {.leases = leases.counters()});
      ASSERT_NE(picked, ServerIndex::none);
      held.push_back(picked);
      ++leases[picked];
      keys.lease(picked);
      const double share = weights[to_number(picked)] / 20.0;
      ASSERT_LE(leases[picked], std::ceil(load_max * static_cast<double>(held.size()) * share));
    }
  }
}

TEST_P(EveryMethod, OverflowsLittleWhereKeysAreMany) {
  HashSettings bounded = settings();
  bounded.load_max = 1.25;
  Keys keys(bounded, make_servers(10));
  Keys unbounded(settings(), make_servers(10));
  int overflow = 0;
  for (int i = 0; i < 10'000; ++i) {
    const ServerIndex picked = keys.pick(key_of(i));
    keys.lease(picked);
    overflow += picked == unbounded.pick(key_of(i)) ? 0 : 1;
  }
  EXPECT_LT(overflow, 300);
}

TEST(Hash, RemapsAQuarterWithConsistentMethodsAndThreeQuartersWithModulo) {
  for (const auto method : {HashMethod::ring, HashMethod::ketama, HashMethod::rendezvous}) {
    const RemapNumbers numbers = measure_remap(settings_of(method));
    EXPECT_NEAR(numbers.added.moved, 0.25, 0.04);
    EXPECT_NEAR(numbers.removed.moved, 0.25, 0.04);
    EXPECT_NEAR(numbers.out.moved, 0.1, 0.02);
    EXPECT_EQ(numbers.added.astray, 0);
    EXPECT_EQ(numbers.removed.astray, 0);
    EXPECT_EQ(numbers.out.astray, 0);
  }
  const RemapNumbers maglev = measure_remap(settings_of(HashMethod::maglev));
  EXPECT_NEAR(maglev.added.moved, 0.26, 0.03);
  EXPECT_GT(maglev.added.astray, 0);
  EXPECT_LT(maglev.added.astray, 0.04);
  EXPECT_LT(maglev.out.astray, 0.02);
  const RemapNumbers modulo = measure_remap(settings_of(HashMethod::modulo));
  EXPECT_NEAR(modulo.added.moved, 0.75, 0.03);
  EXPECT_NEAR(modulo.removed.moved, 0.75, 0.03);
  EXPECT_EQ(modulo.out.astray, 0);
}

TEST(Hash, TakesTheRemainderOfTheHash) {
  Keys equal(settings_of(HashMethod::modulo), make_servers({7, 7, 7}));
  Keys weighted(settings_of(HashMethod::modulo), make_servers({2, 0, 6}));
  const std::size_t expected[] = {0, 2, 2, 2};
  for (std::uint64_t hash = 0; hash < 100; ++hash) {
    EXPECT_EQ(equal.pick({.hash = hash}), to_server(hash % 3));
    EXPECT_EQ(weighted.pick({.hash = hash}), to_server(expected[hash % 4]));
  }
}

TEST(Hash, GivesEachLevelPlacesOfItsOwn) {
  auto servers = make_servers(6);
  ServerSet levels[2] = {ServerSet(6), ServerSet(6)};
  for (std::size_t i = 0; i < 6; ++i) {
    servers[i].level = i < 3 ? 0 : 1;
    levels[servers[i].level].insert(to_server(i));
  }
  for (const auto& [name, method] : names_of(HashMethod{})) {
    Keys keys(settings_of(method), servers);
    for (const std::uint8_t level : {0, 1}) {
      keys.set_candidates(levels[level]);
      int counts[6] = {};
      for (int i = 0; i < 3000; ++i) ++counts[to_number(keys.pick(key_of(i)))];
      for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_NEAR(counts[i], servers[i].level == level ? 1000 : 0, 200) << name;
      }
    }
  }
}

TEST(Hash, GoesAboveTheBoundRatherThanNowhere) {
  HashSettings settings;
  settings.load_max = 1.25;
  Keys keys(settings, make_servers(3));
  LeaseCounts leases({10, 0, 0});
  const ServerIndex tried[] = {to_server(1), to_server(2)};
  EXPECT_EQ(keys.pick("a", {.tried = tried, .leases = leases.counters()}), to_server(0));
}

TEST(Hash, HearsWithinAFewPicksWhatOtherWorkersHold) {
  HashSettings settings;
  settings.load_max = 1.25;
  Keys keys(settings, make_servers(3));
  LeaseCounts leases(3);
  const ServerIndex own = keys.pick("a", {.leases = leases.counters()});
  leases[own] = 5;  // Of 5 it may have 3.
  EXPECT_NE(keys.pick("a", {.leases = leases.counters()}), own);
  for (std::size_t i = 0; i < 3; ++i) leases[to_server(i)] = 5;
  for (int i = 0; i < 2; ++i) keys.pick("a", {.leases = leases.counters()});
  EXPECT_EQ(keys.pick("a", {.leases = leases.counters()}), own);
}

TEST(Hash, TellsTheRecorderWhoIsAboveTheBound) {
  HashSettings settings;
  settings.load_max = 1.25;
  Keys keys(settings, make_servers({2, 2, 2}));
  LeaseCounts leases(3);
  const ServerIndex own = keys.pick("a", {.leases = leases.counters()});
  leases[own] = 8;
  PickRecorder recorder(3);
  const ServerIndex picked = keys.pick("a", {.leases = leases.counters(), .recorder = &recorder});
  ASSERT_EQ(recorder.considered().size(), 3U);
  for (const ConsideredServer& considered : recorder.considered()) {
    EXPECT_EQ(considered.verdict,
              considered.server == picked ? PickVerdict::chosen : PickVerdict::behind);
    EXPECT_EQ(considered.score, considered.server == own ? 4 : 0);
  }
}

std::string problem_of(const HashSettings& settings, const std::vector<ServerSpec>& servers) {
  config::Problems problems;
  check(settings, servers, problems);
  const auto sorted = problems.sorted();
  return sorted.empty() ? "" : sorted.front().message;
}

TEST(HashSettings, AreCheckedAgainstTheServers) {
  HashSettings maglev = settings_of(HashMethod::maglev);
  EXPECT_EQ(problem_of(maglev, make_servers(kServersMax)), "");
  maglev.table_size = 65'536;
  EXPECT_EQ(problem_of(maglev, make_servers(3)),
            "table_size must be a prime, as 65521 and 65537 are, and 65536 is none");
  maglev.table_size = 5;
  EXPECT_EQ(problem_of(maglev, make_servers(5)), "");
  EXPECT_EQ(problem_of(maglev, make_servers(6)), "a table of 5 slots has no place for 6 servers");
  maglev.method = HashMethod::ring;
  EXPECT_EQ(problem_of(maglev, make_servers(6)), "");

  const HashSettings rendezvous = settings_of(HashMethod::rendezvous);
  EXPECT_EQ(problem_of(rendezvous, make_servers(256)), "");
  EXPECT_EQ(problem_of(rendezvous, make_servers(257)),
            "rendezvous is for up to 256 servers, and these are 257: use ring or maglev");
  EXPECT_EQ(problem_of(settings_of(HashMethod::ketama), make_servers(4097)),
            "ketama is for up to 4096 servers, and these are 4097: use ring or maglev");
}

TEST(HashSettings, RefuseOneAddressForTwoServersWhereItPlacesTheKeys) {
  const std::vector<ServerSpec> servers = {{.name = "a", .address = "10.0.0.1:80"},
                                           {.name = "b", .address = "10.0.0.1:80"}};
  EXPECT_EQ(problem_of({}, servers), "");
  EXPECT_EQ(problem_of(settings_of(HashMethod::ketama), servers),
            "servers 'a' and 'b' have the same address, which is to say which keys are theirs: "
            "use server_key: name");
}

TEST(Maglev, FillsSlotsByWeight) {
  std::vector<Peer> peers;
  for (std::size_t i = 0; i < 4; ++i) {
    peers.push_back({.server = to_server(i),
                     .weight = static_cast<std::uint32_t>(i + 1),
                     .key = test::server_name(i),
                     .is_member = true});
  }
  int counts[4] = {};
  for (const ServerIndex server : fill_slots(peers, 1009)) ++counts[to_number(server)];
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(counts[i], 1009 * (i + 1) / 10.0, 2);
}

}  // namespace
}  // namespace weir::balance
