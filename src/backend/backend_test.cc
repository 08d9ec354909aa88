#include "backend/backend.h"

#include <gtest/gtest.h>
#include <typeinfo>

#include "backend/http1_server_connection.h"
#include "backend/worker_backend.h"
#include "net/net_test_support.h"

namespace weir::backend {
namespace {

using net::test::TestWorker;

BackendSettings settings_of(std::string_view balance, std::size_t servers) {
  BackendSettings settings;
  settings.name.value = "b";
  settings.balance = balance::default_settings(balance);
  settings.servers.resize(servers);
  for (std::size_t i = 0; i < servers; ++i) settings.servers[i].name.value = std::to_string(i);
  return settings;
}

TEST(Backend, OffersEveryPickerByItsName) {
  stats::Registry registry(1);
  for (const balance::PickerEntry& entry : balance::pickers()) {
    const Backend backend(settings_of(entry.name, 1), registry);
    const auto expected = balance::make_picker(balance::default_settings(entry.name));
    const balance::Picker& made = backend.picker();
    const balance::Picker& named = *expected;
    EXPECT_EQ(typeid(made), typeid(named)) << entry.name;
  }
  EXPECT_EQ(balance::picker_of(BackendSettings().balance).name, "round_robin");
}

TEST(Backend, ItsWorkersCountTheLeasesOfAServerTogether) {
  stats::Registry registry(2);
  const auto backend = std::make_shared<Backend>(settings_of("least_connections", 3), registry);
  TestWorker first;
  TestWorker second(std::size_t{64} << 20, 1);
  Http1ServerConnections connections;
  const auto of_first = make_local<WorkerBackend>(*first, backend, 2, connections);
  const auto of_second = make_local<WorkerBackend>(*second, backend, 2, connections);

  const ServerLease a = of_first->pick({}, {}).lease;
  const ServerLease b = of_second->pick({}, {}).lease;
  ServerLease c = of_first->pick({}, {}).lease;
  EXPECT_EQ(a.index(), balance::to_server(0));
  EXPECT_EQ(b.index(), balance::to_server(1));
  EXPECT_EQ(c.index(), balance::to_server(2));
  c.release();
  EXPECT_EQ(of_second->pick({}, {}).lease.index(), balance::to_server(2));
}

}  // namespace
}  // namespace weir::backend
