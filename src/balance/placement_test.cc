#include "balance/placement.h"

#include <gtest/gtest.h>
#include <set>

#include "base/random.h"

namespace weir::balance {
namespace {

constexpr GeoPoint kNowhere{};

std::vector<ServerSpec> specs_of(std::initializer_list<std::uint32_t> weights) {
  std::vector<ServerSpec> specs;
  for (const std::uint32_t weight : weights) specs.push_back({.weight = weight});
  return specs;
}

ServerSet set_of(std::size_t servers, std::initializer_list<std::size_t> members) {
  ServerSet set(servers);
  for (const std::size_t number : members) set.insert(to_server(number));
  return set;
}

std::vector<std::size_t> order_of(const Placement& placement, const LevelShares& shares,
                                  std::uint64_t random, const GeoPoint* client = nullptr) {
  LevelOrder order(placement, shares, random, {.client = client});
  std::vector<std::size_t> levels;
  for (LevelIndex level = order.next(); level != LevelIndex::none; level = order.next()) {
    levels.push_back(to_number(level));
  }
  EXPECT_EQ(order.next(), LevelIndex::none);
  return levels;
}

// How many of `picks` begin at each level.
std::vector<int> first_levels(const Placement& placement, const LevelShares& shares, int picks) {
  Random random(1);
  std::vector<int> counts(placement.levels());
  for (int i = 0; i < picks; ++i) ++counts[order_of(placement, shares, random.next()).front()];
  return counts;
}

TEST(Placement, WithoutAnythingToTellServersApartThereIsOneLevel) {
  const Placement placement(std::vector<ServerPlace>(3), CrossZone::always, 1.4);
  EXPECT_EQ(placement.levels(), 1u);
  for (const ServerSet& usable : {ServerSet::all(3), set_of(3, {1}), ServerSet(3)}) {
    const LevelShares shares = placement.share(specs_of({1, 1, 1}), usable);
    EXPECT_EQ(shares.rank_ends, std::vector{1.0});
    EXPECT_EQ(order_of(placement, shares, 7), std::vector<std::size_t>{0});
  }
}

TEST(Placement, BackupsTakeNothingWhileAPrimaryIsUsableAndAllAfterwards) {
  const Placement placement({{}, {}, {.role = ServerRole::backup}}, CrossZone::always, 1.4);
  ASSERT_EQ(placement.levels(), 2u);
  EXPECT_EQ(placement.level_of(to_server(2)), LevelIndex{1});
  const auto specs = specs_of({1, 1, 1});
  EXPECT_EQ(first_levels(placement, placement.share(specs, set_of(3, {0, 2})), 1000),
            std::vector({1000, 0}));
  EXPECT_EQ(first_levels(placement, placement.share(specs, set_of(3, {2})), 1000),
            std::vector({0, 1000}));
  EXPECT_EQ(order_of(placement, placement.share(specs, ServerSet::all(3)), 1),
            (std::vector<std::size_t>{0, 1}));
}

// 1.4 as in Envoy's documentation: 71 % usable carry everything, 50 % carry 70 %.
TEST(Placement, APriorityGivesTheNextWhatItCannotTake) {
  const Placement placement({{}, {}, {.priority = 1}, {.priority = 1}}, CrossZone::always, 1.4);
  const auto specs = specs_of({1, 1, 1, 1});
  const auto ends = [&](const ServerSet& usable) {
    return placement.share(specs, usable).rank_ends;
  };
  EXPECT_EQ(ends(ServerSet::all(4)), (std::vector{1.0, 1.0}));
  EXPECT_NEAR(ends(set_of(4, {0, 2, 3}))[0], 0.7, 1e-9);
  EXPECT_EQ(ends(set_of(4, {2, 3})), (std::vector{0.0, 1.0}));
  // Both are short: what is there is used in proportion.
  const auto both =
      Placement(
          {{}, {}, {}, {}, {.priority = 1}, {.priority = 1}, {.priority = 1}, {.priority = 1}},
          CrossZone::always, 1.0)
          .share(specs_of({1, 1, 1, 1, 1, 1, 1, 1}), set_of(8, {0, 4}));
  EXPECT_NEAR(both.rank_ends[0], 0.5, 1e-9);
  const auto counts = first_levels(placement, placement.share(specs, set_of(4, {0, 2, 3})), 20'000);
  EXPECT_NEAR(counts[0], 14'000, 300);
}

TEST(Placement, OtherZonesAreAsGoodOrInReserveOrUnused) {
  const std::vector<ServerPlace> servers = {{.is_local = false}, {}, {.is_local = false}};
  const auto specs = specs_of({1, 1, 1});
  EXPECT_EQ(Placement(servers, CrossZone::always, 1.4).levels(), 1u);

  const Placement overflow(servers, CrossZone::overflow, 1.4);
  ASSERT_EQ(overflow.levels(), 2u);
  EXPECT_EQ(overflow.level_of(to_server(1)), LevelIndex{0});
  EXPECT_EQ(overflow.share(specs, ServerSet::all(3)).rank_ends, (std::vector{1.0, 1.0}));
  EXPECT_EQ(overflow.share(specs, set_of(3, {0, 2})).rank_ends, (std::vector{0.0, 1.0}));

  const Placement never(servers, CrossZone::never, 1.4);
  ASSERT_EQ(never.levels(), 1u);
  EXPECT_EQ(never.level_of(to_server(0)), LevelIndex::none);
  EXPECT_EQ(never.candidates_of(LevelIndex{0}, ServerSet::all(3)), set_of(3, {1}));
}

TEST(Placement, TheNearestPlaceIsAskedFirst) {
  const GeoPoint frankfurt = GeoPoint::at(50.11, 8.68);
  const GeoPoint tokyo = GeoPoint::at(35.68, 139.69);
  const GeoPoint virginia = GeoPoint::at(38.95, -77.45);
  const Placement placement(
      {{.location = frankfurt}, {.location = tokyo}, {.location = virginia}, {.location = tokyo}},
      CrossZone::always, 1.4);
  ASSERT_EQ(placement.levels(), 3u);
  const auto shares = placement.share(specs_of({1, 1, 1, 1}), ServerSet::all(4));
  const auto nearest = [&](double latitude, double longitude) {
    const GeoPoint client = GeoPoint::at(latitude, longitude);
    const auto order = order_of(placement, shares, 1, &client);
    EXPECT_EQ(order.size(), 3u);
    return LevelIndex(order.front());
  };
  EXPECT_EQ(nearest(52.52, 13.40), placement.level_of(to_server(0)));    // Berlin
  EXPECT_EQ(nearest(34.69, 135.50), placement.level_of(to_server(1)));   // Osaka
  EXPECT_EQ(nearest(-23.55, -46.63), placement.level_of(to_server(2)));  // São Paulo
  // From nowhere, each place has its weight's share.
  const auto counts = first_levels(placement, shares, 20'000);
  EXPECT_NEAR(counts[to_number(placement.level_of(to_server(1)))], 10'000, 300);
}

TEST(Placement, AskedOfEveryDrawEachLevelComesOnce) {
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<ServerPlace> servers(1 + random.below(20));
    std::vector<ServerSpec> specs;
    ServerSet usable(servers.size());
    for (std::size_t i = 0; i < servers.size(); ++i) {
      servers[i].role = random.below(4) == 0 ? ServerRole::backup : ServerRole::primary;
      servers[i].priority = random.below(3);
      servers[i].is_local = random.below(2) == 0;
      if (random.below(2) == 0) servers[i].location = GeoPoint::at(random.below(3) * 10, 0);
      specs.push_back({.weight = random.below(4)});
      if (random.below(3) != 0) usable.insert(to_server(i));
    }
    const auto cross_zone = static_cast<CrossZone>(random.below(3));
    const Placement placement(servers, cross_zone, 1.0 + random.below(10) / 10.0);
    const LevelShares shares = placement.share(specs, usable);
    EXPECT_DOUBLE_EQ(shares.rank_ends.back(), 1.0);
    for (int i = 0; i < 20; ++i) {
      auto order = order_of(placement, shares, random.next(), i % 2 == 0 ? &kNowhere : nullptr);
      std::ranges::sort(order);
      ASSERT_EQ(order.size(), placement.levels());
      for (std::size_t level = 0; level < order.size(); ++level) ASSERT_EQ(order[level], level);
    }
  }
}

constexpr SubsetIndex kOld{1};
constexpr SubsetIndex kNew{2};

std::vector<ServerIndex> servers_in_order(const Placement& placement, const LevelShares& shares,
                                          const LevelWish& wish) {
  LevelOrder order(placement, shares, 7, wish);
  std::vector<ServerIndex> servers;
  const ServerSet all = ServerSet::all(4);
  for (LevelIndex level = order.next(); level != LevelIndex::none; level = order.next()) {
    const ServerSet members = placement.candidates_of(level, all);
    for (std::size_t i = 0; i < 4; ++i) {
      if (members.contains(to_server(i))) servers.push_back(to_server(i));
    }
  }
  return servers;
}

TEST(Placement, ASubsetIsAskedAloneWithoutFallback) {
  const Placement placement({{.subset = kOld}, {.subset = kNew}, {}, {.subset = kOld}},
                            CrossZone::always, 1.4, SubsetFallback::none);
  const LevelShares shares = placement.share(specs_of({1, 1, 1, 1}), ServerSet::all(4));
  const std::vector old{to_server(0), to_server(3)};
  EXPECT_EQ(servers_in_order(placement, shares, {.subset = kOld}), old);
  EXPECT_EQ(servers_in_order(placement, shares, {.subset = kNew}), std::vector{to_server(1)});
  EXPECT_TRUE(servers_in_order(placement, shares, {}).empty());
  EXPECT_TRUE(servers_in_order(placement, shares, {.subset = SubsetIndex{3}}).empty());
}

TEST(Placement, ASubsetIsAskedFirstWithFallbackAndEachServerOnce) {
  const Placement placement(
      {{.subset = kOld}, {.priority = 1, .subset = kNew}, {}, {.priority = 1, .subset = kOld}},
      CrossZone::always, 1.4, SubsetFallback::any);
  const LevelShares shares = placement.share(specs_of({1, 1, 1, 1}), ServerSet::all(4));
  for (const SubsetIndex subset : {kOld, kNew, SubsetIndex::none}) {
    const auto order = servers_in_order(placement, shares, {.subset = subset});
    EXPECT_EQ(std::set(order.begin(), order.end()).size(), 4U);
    EXPECT_EQ(order.size(), 4U);
    if (subset == kOld) EXPECT_EQ(order[0], to_server(0));
    if (subset == kOld) EXPECT_EQ(order[1], to_server(3));
    if (subset == kNew) EXPECT_EQ(order[0], to_server(1));
  }
}

}  // namespace
}  // namespace weir::balance
