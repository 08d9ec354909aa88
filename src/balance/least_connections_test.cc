#include "balance/least_connections.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "balance/balance_test_support.h"
#include "base/random.h"

namespace weir::balance {
namespace {

using namespace std::chrono_literals;

using test::LeaseCounts;
using Weights = std::vector<std::uint32_t>;

std::vector<ServerSpec> specs_of(const Weights& weights) {
  std::vector<ServerSpec> servers(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) servers[i].weight = weights[i];
  return servers;
}

// A backend with its counters, and its workers.
class Cluster {
 public:
  explicit Cluster(const Weights& weights, std::uint16_t workers = 1)
      : servers_(specs_of(weights)), leases_(weights.size()) {
    rebuild(ServerSet::all(servers_.size()));
    for (std::uint16_t w = 0; w < workers; ++w) {
      states_.push_back(picker_.start(*table_, WorkerIndex{w}, workers));
    }
  }

  void rebuild(const ServerSet& candidates) { table_ = picker_.build(servers_, candidates); }
  void set_weight(std::size_t number, std::uint32_t weight) { servers_[number].weight = weight; }

  ServerIndex pick(PickInput input = {}, std::size_t worker = 0) {
    input.leases = leases_.counters();
    return picker_.pick(*table_, *states_[worker], input);
  }
  // As a backend does it: the shared counter and the worker's event.
  void lease(std::size_t number, std::size_t worker = 0) {
    ++leases_[to_server(number)];
    picker_.on_lease(*table_, *states_[worker], to_server(number), {});
  }
  void release(std::size_t number, std::size_t worker = 0) {
    --leases_[to_server(number)];
    picker_.on_release(*table_, *states_[worker], to_server(number), {}, {});
  }
  std::size_t pick_and_lease(const PickInput& input = {}, std::size_t worker = 0) {
    const std::size_t picked = to_number(pick(input, worker));
    lease(picked, worker);
    return picked;
  }
  std::uint32_t leases(std::size_t number) { return leases_[to_server(number)]; }
  void set_leases(const Weights& leases) {
    for (std::size_t i = 0; i < leases.size(); ++i) {
      while (this->leases(i) < leases[i]) lease(i);
    }
  }

  // The definition: fewest leases for the weight, the first listed of equals.
  ServerIndex expected(const ServerSet& candidates, const PickInput& input) {
    ServerIndex best = ServerIndex::none;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      const ServerIndex server = to_server(i);
      if (servers_[i].weight == 0 || !candidates.contains(server)) continue;
      if (!input.allows(server)) continue;
      if (best == ServerIndex::none || load(i) < load(to_number(best))) best = server;
    }
    return best;
  }

 private:
  double load(std::size_t number) {
    return static_cast<double>(leases(number)) / servers_[number].weight;
  }
  LeastConnectionsPicker picker_;
  std::vector<ServerSpec> servers_;
  LeaseCounts leases_;
  std::unique_ptr<const Table> table_;
  std::vector<std::unique_ptr<State>> states_;
};

std::size_t picked_with(const Weights& leases, const Weights& weights) {
  Cluster cluster(weights);
  cluster.set_leases(leases);
  return to_number(cluster.pick());
}

TEST(LeastConnections, PicksTheServerWithFewestLeases) {
  EXPECT_EQ(picked_with({5, 3, 8}, {1, 1, 1}), 1U);
  EXPECT_EQ(picked_with({5, 2, 8}, {1, 1, 1}), 1U);
  EXPECT_EQ(picked_with({150, 50, 200}, {1, 1, 1}), 1U);
}

TEST(LeastConnections, CountsTheLeaseThatItsPickBegan) {
  Cluster cluster({1, 1, 1});
  cluster.set_leases({50, 30, 80});
  EXPECT_EQ(cluster.pick_and_lease(), 1U);
  EXPECT_EQ(cluster.leases(1), 31U);
}

TEST(LeastConnections, PicksTheFirstListedOfEquals) {
  EXPECT_EQ(picked_with({4, 4, 4}, {1, 1, 1}), 0U);
  EXPECT_EQ(picked_with({9, 4, 4}, {1, 1, 1}), 1U);
  EXPECT_EQ(picked_with({2, 1, 3}, {2, 1, 3}), 0U);
}

TEST(LeastConnections, ComparesLeasesByWeight) {
  EXPECT_EQ(picked_with({10, 6, 4}, {2, 1, 3}), 2U);
  EXPECT_EQ(picked_with({100, 30, 80}, {10, 5, 8}), 1U);
}

TEST(LeastConnections, GivesAServerOfThreeTimesTheWeightThreeTimesTheLeases) {
  Cluster cluster({3, 1});
  for (int i = 0; i < 400; ++i) cluster.pick_and_lease();
  EXPECT_EQ(cluster.leases(0), 300U);
  EXPECT_EQ(cluster.leases(1), 100U);
}

TEST(LeastConnections, GivesWeightZeroNothingUntilItIsRaised) {
  Cluster cluster({1, 0});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(cluster.pick_and_lease(), 0U);
  cluster.set_weight(1, 1);
  cluster.rebuild(ServerSet::all(2));
  EXPECT_EQ(cluster.pick(), to_server(1));
}

TEST(LeastConnections, ReturnsToAServerWhoseLeasesEnd) {
  Cluster cluster({1, 1});
  cluster.set_leases({2, 1});
  cluster.release(0);
  cluster.release(0);
  EXPECT_EQ(cluster.pick(), to_server(0));
}

// The worker's state may begin while leases are held, and then sees only their ends.
TEST(LeastConnections, NeverCountsBelowZero) {
  const LeastConnectionsPicker picker;
  const auto table = picker.build(specs_of({1, 1}), ServerSet::all(2));
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  for (int i = 0; i < 3; ++i) picker.on_release(*table, *state, to_server(1), {}, {});
  EXPECT_EQ(picker.pick(*table, *state, {}), to_server(0));
  picker.on_lease(*table, *state, to_server(1), {});
  picker.on_lease(*table, *state, to_server(0), {});
  picker.on_release(*table, *state, to_server(1), {}, {});
  EXPECT_EQ(picker.pick(*table, *state, {}), to_server(1));
}

TEST(LeastConnections, KnowsTheLeasesThatWereHeldBeforeItBegan) {
  const LeaseCounts leases{5, 3, 8};
  const LeastConnectionsPicker picker;
  const auto table = picker.build(specs_of({1, 1, 1}), ServerSet::all(3));
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  EXPECT_EQ(picker.pick(*table, *state, {.leases = leases.counters()}), to_server(1));
}

// What slow start does to a new server: its weight rises from a small share to the whole.
TEST(LeastConnections, DoesNotFloodANewServerWhoseWeightIsRaisedStepByStep) {
  Cluster cluster({100, 100, 0});
  for (int i = 0; i < 200; ++i) cluster.pick_and_lease();
  for (const std::uint32_t weight : {10, 50, 100}) {
    cluster.set_weight(2, weight);
    cluster.rebuild(ServerSet::all(3));
    for (int i = 0; i < 1000; ++i) {
      cluster.release(cluster.leases(0) >= cluster.leases(1) ? 0 : 1);
      cluster.pick_and_lease();
    }
    EXPECT_NEAR(cluster.leases(2), 200.0 * weight / (200 + weight), 1);
  }
}

TEST(LeastConnections, PicksByDefinitionWithOneWorkerWhateverHappens) {
  Random random(5);
  for (int round = 0; round < 300; ++round) {
    Weights weights(1 + random.below(40));
    for (std::uint32_t& weight : weights) weight = random.below(6);
    Cluster cluster(weights);
    ServerSet candidates = ServerSet::all(weights.size());
    std::vector<std::size_t> held;
    for (int step = 0; step < 200; ++step) {
      if (random.below(20) == 0) {
        candidates = ServerSet(weights.size());
        for (std::size_t i = 0; i < weights.size(); ++i) {
          if (random.below(4) > 0) candidates.insert(to_server(i));
        }
        cluster.rebuild(candidates);
      }
      ServerSet excluded(weights.size());
      for (int i = 0; i < 5; ++i) excluded.insert(to_server(random.below(weights.size())));
      const ServerIndex tried[] = {to_server(random.below(weights.size()))};
      const PickInput input{.excluded = random.below(2) == 0 ? &excluded : nullptr, .tried = tried};
      const ServerIndex picked = cluster.pick(input);
      ASSERT_EQ(picked, cluster.expected(candidates, input));
      if (picked != ServerIndex::none) {
        cluster.lease(to_number(picked));
        held.push_back(to_number(picked));
      }
      if (!held.empty() && random.below(2) == 0) {
        std::swap(held[random.below(held.size())], held.back());
        cluster.release(held.back());
        held.pop_back();
      }
    }
  }
}

TEST(LeastConnections, FindsTheOneServerLeft) {
  Cluster cluster(Weights(3000, 1));
  ServerSet excluded = ServerSet::all(3000);
  excluded.erase(to_server(777));
  cluster.lease(777);
  EXPECT_EQ(cluster.pick({.excluded = &excluded}), to_server(777));
  excluded.insert(to_server(777));
  EXPECT_EQ(cluster.pick({.excluded = &excluded}), ServerIndex::none);
}

TEST(LeastConnections, FindsTheFirstOfEqualsHoweverManyAreLeftOut) {
  Cluster cluster(Weights(10'000, 1));
  ServerSet excluded(10'000);
  for (std::size_t i = 0; i < 10'000; i += 2) excluded.insert(to_server(i));
  EXPECT_EQ(cluster.pick({.excluded = &excluded}), to_server(1));
}

TEST(LeastConnections, SeesAtOnceThatAnotherWorkerFilledTheWinner) {
  Cluster cluster({1, 1, 1, 1, 1, 1}, 2);
  EXPECT_EQ(cluster.pick({}, 1), to_server(0));
  cluster.lease(0, 0);
  cluster.lease(1, 0);
  EXPECT_EQ(cluster.pick({}, 1), to_server(2));
}

TEST(LeastConnections, SeesInTurnThatAnotherWorkerLeftAServer) {
  constexpr std::size_t kServers = 10;
  Cluster cluster(Weights(kServers, 1), 2);
  for (std::size_t i = 0; i < kServers; ++i) cluster.lease(i, 0);
  EXPECT_EQ(cluster.pick({}, 1), to_server(0));
  cluster.release(9, 0);
  // Two looks a pick.
  for (std::size_t i = 0; i < kServers / 2; ++i) cluster.pick({}, 1);
  EXPECT_EQ(cluster.pick({}, 1), to_server(9));
}

TEST(LeastConnections, KnowsWhatOthersDidTenMillisecondsAgo) {
  constexpr std::size_t kServers = 1000;
  Cluster cluster(Weights(kServers, 1), 2);
  for (std::size_t i = 0; i < kServers; ++i) cluster.lease(i, 0);
  TimePoint now = TimePoint{} + 1h;
  EXPECT_EQ(cluster.pick({.now = now}, 1), to_server(0));
  for (const std::size_t left : {900U, 1U, 500U}) {
    cluster.release(left, 0);
    EXPECT_EQ(cluster.pick({.now = now += 10ms}, 1), to_server(left));
    cluster.lease(left, 0);
    cluster.pick({.now = now += 10ms}, 1);
    cluster.release(left, 0);
    for (int i = 0; i < 3; ++i) cluster.pick({.now = now += 3ms}, 1);
    EXPECT_EQ(cluster.pick({.now = now += 3ms}, 1), to_server(left));
    cluster.lease(left, 0);
    cluster.pick({.now = now += 10ms}, 1);
  }
}

// Requests of random lengths arrive at random workers: on average a pick finds less than one lease
// more than the emptiest server has.
TEST(LeastConnections, StaysCloseToTheDefinitionWithManyWorkers) {
  constexpr std::size_t kWorkers = 8;
  constexpr int kPicks = 50'000;
  struct Held {
    std::size_t server;
    std::size_t worker;
  };
  for (const std::size_t servers : {3U, 10U, 100U}) {
    Cluster cluster(Weights(servers, 1), kWorkers);
    Random random(servers);
    std::vector<Held> held;
    std::uint64_t too_many = 0;
    for (int i = 0; i < kPicks; ++i) {
      // About ten in flight on each server.
      while (random.below(static_cast<std::uint32_t>(20 * servers)) < held.size()) {
        std::swap(held[random.below(static_cast<std::uint32_t>(held.size()))], held.back());
        cluster.release(held.back().server, held.back().worker);
        held.pop_back();
      }
      const std::size_t worker = random.below(kWorkers);
      const ServerIndex emptiest = cluster.expected(ServerSet::all(servers), {});
      const std::uint32_t fewest = cluster.leases(to_number(emptiest));
      const std::size_t picked = to_number(cluster.pick({}, worker));
      too_many += cluster.leases(picked) - fewest;
      cluster.lease(picked, worker);
      held.push_back({picked, worker});
    }
    EXPECT_LT(too_many, std::uint64_t{kPicks}) << servers << " servers";
  }
}

TEST(LeastConnections, RecordsEveryServersLeasesForItsWeight) {
  Cluster cluster({4, 1, 2});
  cluster.set_leases({1, 3, 1});
  PickRecorder recorder(3);
  cluster.pick({.recorder = &recorder});
  const auto considered = recorder.considered();
  ASSERT_EQ(considered.size(), 3u);
  const double scores[] = {0.25, 3, 0.5};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(considered[i].server, to_server(i));
    EXPECT_EQ(considered[i].verdict, i == 0 ? PickVerdict::chosen : PickVerdict::behind);
    EXPECT_EQ(considered[i].score, scores[i]);
  }
}

}  // namespace
}  // namespace weir::balance
