#include "proxy/split.h"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/random.h"
#include "proxy/split_settings.h"

namespace weir::proxy {
namespace {

using Product = unsigned __int128;

std::size_t place_of(const SplitShares& shares, std::uint64_t point) {
  return static_cast<std::size_t>(shares.group_at(point));
}

SplitShares made(std::vector<std::uint32_t> weights) { return SplitShares(weights); }

// The first point of all that are not below part/sum of them.
std::uint64_t first_point(std::uint64_t part, std::uint64_t sum) {
  return static_cast<std::uint64_t>(((Product{part} << 64) + sum - 1) / sum);
}

TEST(SplitShares, GivesEachGroupExactlyItsPartOfAllPoints) {
  const std::vector<std::vector<std::uint32_t>> splits = {{95, 5},   {1, 1, 1}, {65'535, 1},
                                                          {3, 0, 7}, {0, 1},    {1}};
  for (const auto& weights : splits) {
    const SplitShares shares(weights);
    std::uint64_t sum = 0;
    for (const std::uint32_t weight : weights) sum += weight;
    std::uint64_t begin = 0;
    for (std::size_t group = 0; group < weights.size(); ++group) {
      const std::uint64_t end = begin + weights[group];
      EXPECT_DOUBLE_EQ(shares.share_of(GroupIndex(group)),
                       static_cast<double>(weights[group]) / static_cast<double>(sum));
      if (begin != end) {
        EXPECT_EQ(place_of(shares, first_point(begin, sum)), group);
        const std::uint64_t last = end == sum ? UINT64_MAX : first_point(end, sum) - 1;
        EXPECT_EQ(place_of(shares, last), group);
      }
      begin = end;
    }
  }
}

TEST(SplitShares, MovesOnlyFromTheShrinkingGroupToTheGrowingOne) {
  const SplitShares before = made({90, 10});
  const SplitShares after = made({80, 20});
  std::size_t moved = 0;
  constexpr std::size_t kUsers = 100'000;
  for (std::size_t i = 0; i < kUsers; ++i) {
    const std::uint64_t point = point_of_key("user-" + std::to_string(i));
    if (place_of(before, point) == place_of(after, point)) continue;
    EXPECT_EQ(place_of(before, point), 0u);
    EXPECT_EQ(place_of(after, point), 1u);
    ++moved;
  }
  EXPECT_NEAR(static_cast<double>(moved) / kUsers, 0.1, 0.005);
}

TEST(SplitShares, KeepsEverybodyWhereWeightsAreInTheSameProportion) {
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const std::uint64_t point = mix64(i);
    EXPECT_EQ(place_of(made({95, 5}), point), place_of(made({19, 1}), point));
  }
}

TEST(SplitShares, SharesKeysAndChanceOutAsTheWeightsSay) {
  const SplitShares shares = made({95, 5});
  Random random(7);
  constexpr std::size_t kRequests = 200'000;
  std::array<std::size_t, 2> by_key{};
  std::array<std::size_t, 2> by_chance{};
  for (std::size_t i = 0; i < kRequests; ++i) {
    ++by_key[place_of(shares, point_of_key(std::to_string(i)))];
    ++by_chance[place_of(shares, random.next())];
  }
  // Six standard deviations.
  EXPECT_NEAR(static_cast<double>(by_key[1]) / kRequests, 0.05, 0.003);
  EXPECT_NEAR(static_cast<double>(by_chance[1]) / kRequests, 0.05, 0.003);
}

// Whoever changes this moves users of every installation to other groups.
TEST(SplitKey, HasTheSamePointForEver) {
  EXPECT_EQ(point_of_key("alice"), 10454057432905594102u);
  EXPECT_EQ(point_of_key("192.0.2.1"), 10362956026017287225u);
}

TEST(SplitKey, TakesWhatIsKnownBeforeTheChoice) {
  const auto error_of = [](std::string_view text) {
    KeyTemplate key;
    const auto parsed = parse_scalar(text, key);
    return parsed ? std::string() : parsed.error();
  };
  EXPECT_EQ(error_of("${request.cookie.user}"), "");
  EXPECT_EQ(error_of("a-${client.address}"), "");
  EXPECT_EQ(error_of("${request.cokie.user}"),
            "unknown value 'request.cokie.user' (did you mean 'request.cookie.user'?)");
  EXPECT_EQ(error_of("all"), "without a value in it everybody would be in one group");
  EXPECT_EQ(error_of(""), "without a value in it everybody would be in one group");
  EXPECT_EQ(error_of("${backend.name}"), "'backend.name' is not known before the route");
  EXPECT_EQ(error_of("${route.group}"), "'route.group' is not known before the route");
  EXPECT_EQ(error_of("${response.status}"), "'response.status' is not known before the response");
}

}  // namespace
}  // namespace weir::proxy
