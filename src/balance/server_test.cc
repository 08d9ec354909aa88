#include "balance/server.h"

#include <gtest/gtest.h>

#include "balance/picker.h"
#include "base/random.h"

namespace weir::balance {
namespace {

TEST(ServerSet, HoldsWhatWasInsertedAndNotErased) {
  ServerSet set(130);
  EXPECT_TRUE(set.is_empty());
  for (const std::size_t number : {0, 63, 64, 129}) set.insert(to_server(number));
  set.erase(to_server(63));
  EXPECT_TRUE(set.contains(to_server(0)));
  EXPECT_FALSE(set.contains(to_server(63)));
  EXPECT_TRUE(set.contains(to_server(64)));
  EXPECT_TRUE(set.contains(to_server(129)));
  EXPECT_FALSE(set.contains(to_server(128)));
  EXPECT_FALSE(set.is_empty());
}

TEST(ServerSet, HoldsNothingBeyondItsRoom) {
  EXPECT_FALSE(ServerSet::all(64).contains(to_server(64)));
  EXPECT_FALSE(ServerSet::all(64).contains(ServerIndex::none));
  EXPECT_FALSE(ServerSet().contains(to_server(0)));
}

TEST(FindAllowed, AgreesWithASearchOneByOne) {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t servers = 1 + random.below(200);
    ServerSet members(servers);
    ServerSet excluded(servers);
    for (std::size_t number = 0; number < servers; ++number) {
      if (random.below(4) == 0) members.insert(to_server(number));
      if (random.below(2) == 0) excluded.insert(to_server(number));
    }
    const ServerIndex tried[] = {to_server(random.below(200)), to_server(random.below(200))};
    const PickInput input{.excluded = random.below(3) == 0 ? nullptr : &excluded, .tried = tried};
    const std::size_t from = random.below(static_cast<std::uint32_t>(servers));

    ServerIndex expected = ServerIndex::none;
    for (std::size_t step = 0; step < servers && expected == ServerIndex::none; ++step) {
      const ServerIndex server = to_server((from + step) % servers);
      if (members.contains(server) && input.allows(server)) expected = server;
    }
    ASSERT_EQ(find_allowed(members, input, to_server(from)), expected);
  }
}

}  // namespace
}  // namespace weir::balance
