#include "backend/backend.h"

#include <gtest/gtest.h>
#include <typeinfo>

#include "backend/worker_backend.h"
#include "net/net_test_support.h"

namespace weir::backend {
namespace {

using net::test::TestWorker;

Balance balance_named(std::string_view name) {
  for (const auto& [known, balance] : names_of(Balance{})) {
    if (known == name) return balance;
  }
  ADD_FAILURE() << name;
  return {};
}

BackendSettings settings_of(std::string_view balance, std::size_t servers) {
  BackendSettings settings;
  settings.name.value = "b";
  settings.balance = balance_named(balance);
  settings.servers.resize(servers);
  for (std::size_t i = 0; i < servers; ++i) settings.servers[i].name.value = std::to_string(i);
  return settings;
}

TEST(Backend, OffersEveryPickerByItsName) {
  stats::Registry registry(1);
  for (const balance::PickerEntry& entry : balance::kPickers) {
    const Backend backend(settings_of(entry.name, 1), registry);
    const auto expected = entry.make();
    const balance::Picker& made = backend.picker();
    const balance::Picker& named = *expected;
    EXPECT_EQ(typeid(made), typeid(named)) << entry.name;
  }
  EXPECT_EQ(balance_named("round_robin"), BackendSettings().balance);
}

TEST(Backend, ItsWorkersCountTheLeasesOfAServerTogether) {
  static constexpr http1::HeadLimits kLimits;
  stats::Registry registry(1);
  const auto backend = std::make_shared<Backend>(settings_of("least_connections", 3), registry);
  TestWorker first;
  TestWorker second;
  WorkerBackend of_first(*first, backend, 2, kLimits);
  WorkerBackend of_second(*second, backend, 2, kLimits);

  const ServerLease a = of_first.pick({});
  const ServerLease b = of_second.pick({});
  ServerLease c = of_first.pick({});
  EXPECT_EQ(a.index(), balance::to_server(0));
  EXPECT_EQ(b.index(), balance::to_server(1));
  EXPECT_EQ(c.index(), balance::to_server(2));
  c.release();
  EXPECT_EQ(of_second.pick({}).index(), balance::to_server(2));
}

}  // namespace
}  // namespace weir::backend
