#include "sim/balance_report.h"

#include <algorithm>
#include <cctype>
#include <gtest/gtest.h>

namespace weir::sim {
namespace {

constexpr std::uint32_t kRequests = 20'000;

PoolResult run(std::string_view label, std::uint64_t seed = 1) {
  const std::vector<Contestant> all = contestants();
  PoolOptions options =
      mixed_servers(*std::ranges::find(all, label, &Contestant::label), Health::some_ill);
  options.requests = kRequests;
  options.seed = seed;
  return simulate_pool(options);
}

class BalanceSimulation : public testing::TestWithParam<std::size_t> {};

TEST_P(BalanceSimulation, EveryRequestEnds) {
  const PoolResult result = run(contestants()[GetParam()].label);
  EXPECT_EQ(result.ended, kRequests);
  EXPECT_GT(result.p50, 0);
  EXPECT_LE(result.p50, result.p99);
  EXPECT_LE(result.p99, result.p999);
  EXPECT_GE(result.imbalance, 1);
  double shares = 0;
  for (const double share : result.shares) shares += share;
  EXPECT_NEAR(shares, 1, 1e-9);
}

TEST_P(BalanceSimulation, TheSameSeedGivesTheSameResult) {
  const std::string label = contestants()[GetParam()].label;
  const PoolResult first = run(label, 7);
  const PoolResult second = run(label, 7);
  EXPECT_EQ(first.p50, second.p50);
  EXPECT_EQ(first.p999, second.p999);
  EXPECT_EQ(first.imbalance, second.imbalance);
  EXPECT_EQ(first.shares, second.shares);
  EXPECT_NE(first.shares, run(label, 8).shares);
}

INSTANTIATE_TEST_SUITE_P(Contestants, BalanceSimulation,
                         testing::Range(std::size_t{0}, contestants().size()),
                         [](const auto& contestant) {
                           std::string name = contestants()[contestant.param].label;
                           std::ranges::replace_if(
                               name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST(BalanceReport, EveryPickerTakesPart) {
  const std::vector<Contestant> all = contestants();
  for (const balance::PickerEntry& entry : balance::pickers()) {
    EXPECT_TRUE(std::ranges::any_of(all, [&](const Contestant& contestant) {
      return balance::picker_of(contestant.settings).name == entry.name;
    })) << entry.name;
  }
}

TEST(BalanceReport, WhoSeesWhatServersDoSparesTheSlowOne) {
  const double in_turn = run("round_robin").shares[kSlowServer];
  for (const char* label : {"power_of_two", "least_connections", "least_time", "peak_ewma"}) {
    EXPECT_LT(run(label).shares[kSlowServer], in_turn / 2) << label;
  }
}

TEST(BalanceReport, TwoChoicesKeepTheFullestServerFarBelowOne) {
  for (const FullestServer& row : measure_fullest(1)) {
    EXPECT_LT(row.power_of_two + 1, row.random) << row.servers;
  }
}

TEST(BalanceReport, LeastConnectionsOfManyWorkersStaysNearTheFairShare) {
  for (const ManyServers& row : measure_many_servers({.requests = 5 * kRequests})) {
    EXPECT_LE(row.result.excess_max, row.workers == 1 ? 1.5 : 7) << row.load;
    EXPECT_LE(row.result.excess, row.workers == 1 ? 1 : 3) << row.load;
  }
}

TEST(BalanceReport, PlotsShowEveryAlgorithmAndAreSmall) {
  const BalanceReport report = measure_balance({.requests = 1'000});
  const std::vector<Plot> plots = draw_plots(report);
  ASSERT_EQ(plots.size(), 4);
  for (const Plot& plot : plots) EXPECT_LT(plot.svg.size(), 30 * 1024) << plot.name;
  for (const Contestant& contestant : contestants()) {
    const std::string label = ">" + contestant.label + "<";
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NE(plots[i].svg.find(label), std::string::npos);
  }
}

TEST(BalanceReport, TablesHaveARowForEveryAlgorithmAndTable) {
  const std::string text = write_tables(measure_balance({.requests = 1'000}), TableStyle::markdown);
  for (const Contestant& contestant : contestants()) {
    const std::string cell = "\n| " + contestant.label + " |";
    std::size_t rows = 0;
    for (auto at = text.find(cell); at != std::string::npos; at = text.find(cell, at + 1)) ++rows;
    EXPECT_EQ(rows, 1 + kLoads.size()) << contestant.label;
  }
}

}  // namespace
}  // namespace weir::sim
