#include "balance/weighted_draw.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

namespace weir::balance {
namespace {

constexpr int kDraws = 100'000;

std::vector<ServerSpec> specs_of(std::initializer_list<std::uint32_t> weights) {
  std::vector<ServerSpec> servers;
  for (const std::uint32_t weight : weights) servers.push_back({.weight = weight});
  return servers;
}

// Every server that may be drawn gets its share, within five standard deviations, and no other.
void expect_shares(const std::vector<ServerSpec>& servers, const PickInput& input,
                   const std::vector<ServerIndex>& besides = {}) {
  const WeightedDraw draw(servers, ServerSet::all(servers.size()));
  Random random(7);
  std::vector<int> counts(servers.size());
  for (int i = 0; i < kDraws; ++i) ++counts[to_number(draw.draw(input, random, besides))];
  const auto weight_of = [&](std::size_t i) {
    const bool may =
        std::ranges::find(besides, to_server(i)) == besides.end() && input.allows(to_server(i));
    return may ? static_cast<double>(servers[i].weight) : 0;
  };
  double sum = 0;
  for (std::size_t i = 0; i < servers.size(); ++i) sum += weight_of(i);
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const double share = weight_of(i) / sum;
    const double deviation = std::sqrt(kDraws * share * (1 - share));
    EXPECT_NEAR(counts[i], kDraws * share, 5 * deviation) << "server " << i;
  }
}

TEST(WeightedDraw, DrawsInProportionToTheWeights) {
  expect_shares(specs_of({1, 1, 1}), {});
  expect_shares(specs_of({5, 3, 2}), {});
  expect_shares(specs_of({0, 65535, 1, 0, 30000}), {});
}

TEST(WeightedDraw, DrawsInProportionToAnyWeights) {
  Random random(1);
  for (int round = 0; round < 20; ++round) {
    std::vector<ServerSpec> servers(2 + random.below(50));
    for (ServerSpec& server : servers) server.weight = random.below(100);
    servers[0].weight = 1;
    expect_shares(servers, {});
  }
}

TEST(WeightedDraw, SharesWhatIsLeftOutAmongTheOthersByTheirWeights) {
  ServerSet excluded(4);
  excluded.insert(to_server(1));
  const ServerIndex tried[] = {to_server(2)};
  expect_shares(specs_of({5, 3, 2, 1}), {.excluded = &excluded});
  expect_shares(specs_of({5, 3, 2, 1}), {.tried = tried});
  expect_shares(specs_of({5, 3, 2, 1}), {.excluded = &excluded}, {to_server(0)});
}

TEST(WeightedDraw, KeepsTheSharesOfTheFewThatAreLeft) {
  std::vector<ServerSpec> servers(1000);
  servers[11].weight = 3;
  ServerSet excluded = ServerSet::all(1000);
  for (const std::size_t left : {10, 11, 500}) excluded.erase(to_server(left));
  expect_shares(servers, {.excluded = &excluded});
  // A heavy server that is left out is all that the quick draws meet.
  expect_shares(specs_of({65535, 2, 1}), {}, {to_server(0)});
}

TEST(WeightedDraw, DrawsNobodyWhereNobodyIsLeft) {
  Random random(1);
  const auto servers = specs_of({2, 0, 1});
  const ServerIndex tried[] = {to_server(0)};
  const ServerIndex besides[] = {to_server(2)};
  const WeightedDraw draw(servers, ServerSet::all(3));
  EXPECT_EQ(draw.draw({.tried = tried}, random, besides), ServerIndex::none);
  EXPECT_EQ(WeightedDraw(servers, ServerSet(3)).draw({}, random), ServerIndex::none);
}

}  // namespace
}  // namespace weir::balance
