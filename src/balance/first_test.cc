#include "balance/first.h"

#include <gtest/gtest.h>

namespace weir::balance {
namespace {

TEST(First, FillsEachServerBeforeTheNext) {
  constexpr std::uint32_t kLeasesMax[] = {3, 2, 4};
  const ServerSpec servers[] = {{.weight = 1}, {.weight = 9}, {.weight = 5}};
  const FirstPicker picker;
  const auto table = picker.build(servers, ServerSet::all(3));
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  ServerSet full(3);
  std::uint32_t leases[3] = {};
  for (std::size_t server = 0; server < 3; ++server) {
    for (std::uint32_t i = 0; i < kLeasesMax[server]; ++i) {
      ASSERT_EQ(picker.pick(*table, *state, {.excluded = &full}), to_server(server));
      if (++leases[server] == kLeasesMax[server]) full.insert(to_server(server));
    }
  }
  EXPECT_EQ(picker.pick(*table, *state, {.excluded = &full}), ServerIndex::none);
}

TEST(First, ReturnsToAnEarlierServerThatHasRoomAgain) {
  const std::vector<ServerSpec> servers(3);
  const FirstPicker picker;
  const auto table = picker.build(servers, ServerSet::all(3));
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  ServerSet full = ServerSet::all(3);
  full.erase(to_server(2));
  EXPECT_EQ(picker.pick(*table, *state, {.excluded = &full}), to_server(2));
  full.erase(to_server(0));
  EXPECT_EQ(picker.pick(*table, *state, {.excluded = &full}), to_server(0));
}

TEST(First, PassesOverServersOfWeightZero) {
  const ServerSpec servers[] = {{.weight = 0}, {.weight = 1}};
  const FirstPicker picker;
  const auto table = picker.build(servers, ServerSet::all(2));
  const auto state = picker.start(*table, WorkerIndex{0}, 1);
  EXPECT_EQ(picker.pick(*table, *state, {}), to_server(1));
}

}  // namespace
}  // namespace weir::balance
