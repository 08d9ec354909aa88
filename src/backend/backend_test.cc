#include "backend/backend.h"

#include <array>
#include <gtest/gtest.h>
#include <optional>
#include <typeinfo>

#include "backend/http1_server_connection.h"
#include "backend/worker_backend.h"
#include "net/net_test_support.h"

namespace weir::backend {
namespace {

using net::test::TestWorker;
using namespace std::chrono_literals;

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

// Disabled and enabled at `now`.
void bring_back(Backend& backend, std::size_t server, TimePoint now) {
  Server& back = backend.server(balance::to_server(server));
  for (const AdminState state : {AdminState::disabled, AdminState::ready}) {
    back.set_admin_state(state);
    backend.renew_candidates(now);
  }
}

TEST(Backend, AServerThatStartsSlowlyGoesOnInTheNextGeneration) {
  stats::Registry registry(1);
  BackendSettings settings = settings_of("round_robin", 2);
  settings.slow_start.emplace().time = 100s;
  Backend first(settings, registry);
  const TimePoint back = TimePoint{} + 1h;
  bring_back(first, 1, back);
  ++settings.queue_length;
  Backend next(settings, registry, &first);
  ASSERT_TRUE(next.adopt_servers(back + 10s));
  const auto candidates = next.renew_candidates(back + 10s);
  EXPECT_TRUE(candidates->is_ramping);
  EXPECT_EQ(candidates->specs[1].weight * 10, candidates->specs[0].weight);
}

TEST(Backend, AServerThatHasStartedDoesNotStartAgainInTheNextGeneration) {
  stats::Registry registry(1);
  BackendSettings settings = settings_of("round_robin", 2);
  settings.slow_start.emplace().time = 100s;
  Backend first(settings, registry);
  const TimePoint back = TimePoint{} + 1h;
  bring_back(first, 1, back);
  ++settings.queue_length;
  Backend next(settings, registry, &first);
  next.adopt_servers(back + 100s);
  const auto candidates = next.renew_candidates(back + 100s);
  EXPECT_FALSE(candidates->is_ramping);
  EXPECT_EQ(candidates->specs[1].weight, candidates->specs[0].weight);
}

TEST(Backend, AServerThatStartsInStepsHasNewWeightsAtEachStepAlone) {
  stats::Registry registry(1);
  BackendSettings settings = settings_of("round_robin", 2);
  settings.slow_start.emplace() = {.time = 300s, .ramp = health::Ramp::steps};
  Backend backend(settings, registry);
  const TimePoint back = TimePoint{} + 1h;
  bring_back(backend, 1, back);
  EXPECT_FALSE(backend.has_ramped(back + 99s));
  EXPECT_TRUE(backend.has_ramped(back + 100s));
  backend.renew_candidates(back + 100s);
  EXPECT_FALSE(backend.has_ramped(back + 199s));
  EXPECT_TRUE(backend.has_ramped(back + 200s));
  EXPECT_FALSE(backend.renew_candidates(back + 200s)->is_ramping);
  EXPECT_FALSE(backend.has_ramped(back + 300s));
}

TEST(Backend, ScoresHoldInTheNextGenerationUntilNewOnesAreMade) {
  stats::Registry registry(1);
  BackendSettings settings = settings_of("least_bandwidth", 3);
  Backend first(settings, registry);
  first.set_scores(std::array{1.5F, 2.5F, 3.5F});
  settings.servers.erase(settings.servers.begin());
  settings.servers[1].name.value = "new";
  Backend next(settings, registry, &first);
  EXPECT_EQ(next.find_score(balance::to_server(0)), 2.5F);
  EXPECT_EQ(next.find_score(balance::to_server(1)), std::nullopt);
  settings.balance = balance::default_settings("round_robin");
  const Backend without(settings, registry, &next);
  EXPECT_EQ(without.find_score(balance::to_server(0)), std::nullopt);
}

}  // namespace
}  // namespace weir::backend
