// One generation of a backend after the other: what a change of the configuration keeps.

#include <algorithm>
#include <gtest/gtest.h>

#include "backend/backend_test_support.h"
#include "backend/retry_plan.h"

namespace weir::backend {
namespace {

using namespace test;

using GenerationTest = ChangeFixture;

TEST_F(GenerationTest, AServerOfTheSameNameAndAddressKeepsEverything) {
  FakeServer fake;
  add_server("s", fake.address);
  apply();
  use(fake);
  const std::weak_ptr<Backend> before = backend_;
  const Server* known = &server(0);
  const ServerPool* pool = &view_->pool_of(balance::to_server(0));
  settings_.queue_length = 7;
  apply();
  EXPECT_TRUE(before.expired());
  EXPECT_EQ(&server(0), known);
  EXPECT_EQ(&view_->pool_of(balance::to_server(0)), pool);
  use(fake);
  EXPECT_EQ(fake.peers.size(), 1u);
  EXPECT_EQ(server(0).stats().of(0).reuses.read(), 1u);
  EXPECT_EQ(server(0).stats().of(0).connects.read(), 1u);
}

TEST_F(GenerationTest, AServerMayChangeItsPlace) {
  FakeServer a;
  FakeServer b;
  add_server("a", a.address);
  add_server("b", b.address);
  apply();
  const Server* first = &server(0);
  const Server* second = &server(1);
  const ServerLease lease = pick();
  EXPECT_EQ(lease.index(), balance::to_server(0));
  std::swap(settings_.servers[0], settings_.servers[1]);
  apply();
  EXPECT_EQ(&server(0), second);
  EXPECT_EQ(&server(1), first);
  EXPECT_EQ(lease.index(), balance::to_server(1));
}

TEST_F(GenerationTest, AnotherAddressIsAnotherServer) {
  FakeServer before;
  FakeServer after;
  add_server("s", before.address);
  apply();
  use(before);
  ServerLease lease = pick();
  Server& old = lease.server();
  settings_.servers[0].address.address = after.address;
  apply();
  EXPECT_NE(&server(0), &old);
  EXPECT_EQ(server(0).address().address, after.address);
  EXPECT_TRUE(is_closed(before.peers[0]));
  // What was under way goes on, and ends on the server that it began with.
  EXPECT_EQ(lease.pool().owner(), nullptr);
  EXPECT_EQ(old.leases(), 1u);
  EXPECT_EQ(server(0).leases(), 0u);
  use(after);
  EXPECT_EQ(after.peers.size(), 1u);
}

TEST_F(GenerationTest, AConnectionToAServerThatHasLeftIsNotKept) {
  FakeServer gone;
  FakeServer stays;
  add_server("gone", gone.address);
  add_server("stays", stays.address);
  apply();
  ServerLease lease = pick();
  ASSERT_EQ(lease.server().name(), "gone");
  ServerStream stream = connect(lease);
  settings_.servers.erase(settings_.servers.begin());
  apply();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pick_name(), "stays");
  exchange(std::move(stream), accept(gone));
  EXPECT_TRUE(is_closed(gone.peers[0]));
}

TEST_F(GenerationTest, ConnectionsOpenedAsTheSettingsWereAreUsedNoMore) {
  FakeServer fake;
  add_server("s", fake.address);
  apply();
  ServerLease lease = pick();
  ServerStream stream = connect(lease);
  settings_.source_address.value = net::SourceAddress{*net::Address::parse("127.0.0.1:0")};
  apply();
  exchange(std::move(stream), accept(fake));
  EXPECT_TRUE(is_closed(fake.peers[0]));
}

TEST_F(GenerationTest, AServerThatRefusedStaysLeftOut) {
  const net::test::ClosedPort closed;
  FakeServer fake;
  settings_.refused_pause = 1h;
  add_server("refuses", closed.address);
  add_server("serves", fake.address);
  apply();
  {
    const ServerLease lease = pick();
    ASSERT_EQ(lease.server().name(), "refuses");
    worker_.run([&]() -> Task<> { EXPECT_FALSE(co_await view_->connect(lease, {}, cancel_)); });
  }
  std::swap(settings_.servers[0], settings_.servers[1]);
  apply();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pick_name(), "serves");
}

// As a task does whose attempt began before the change.
TEST_F(GenerationTest, ARefusalThatIsLearntAfterAChangeCountsForTheNewest) {
  const net::test::ClosedPort closed;
  FakeServer fake;
  settings_.refused_pause = 1h;
  add_server("refuses", closed.address);
  add_server("serves", fake.address);
  apply();
  const ServerLease lease = pick();
  ASSERT_EQ(lease.server().name(), "refuses");
  const LocalRef<WorkerBackend> before = view_;
  std::swap(settings_.servers[0], settings_.servers[1]);
  apply();
  worker_.run([&]() -> Task<> { EXPECT_FALSE(co_await before->connect(lease, {}, cancel_)); });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pick_name(), "serves");
}

TEST_F(GenerationTest, AWeightSetAtRunTimeStaysUntilTheFileChangesItsOwn) {
  add_server("s");
  add_server("t");
  apply();
  server(0).set_weight(9);
  renew_candidates();
  settings_.queue_length = 7;
  apply();
  EXPECT_EQ(server(0).weight(), 9u);
  EXPECT_EQ(backend_->candidates()->specs[0].weight, 9u);
  EXPECT_EQ(server(0).weight_configured(), 1u);
  settings_.servers[0].weight = 3;
  apply();
  EXPECT_EQ(server(0).weight(), 3u);
  EXPECT_EQ(backend_->candidates()->specs[0].weight, 3u);
  EXPECT_EQ(server(1).weight(), 1u);
}

TEST_F(GenerationTest, WhatIsNotPutIntoForceChangesNoServer) {
  add_server("s").maxconn = 5;
  apply();
  settings_.servers[0].weight = 3;
  settings_.servers[0].maxconn.reset();
  const Backend refused(settings_, registry_, backend_.get());
  EXPECT_EQ(refused.candidates()->specs[0].weight, 3u);
  EXPECT_EQ(server(0).weight(), 1u);
  EXPECT_EQ(server(0).maxconn(), 5u);
}

TEST_F(GenerationTest, WhatAnOperatorSaidStays) {
  add_server("drained");
  add_server("serves");
  apply();
  server(0).set_admin_state(AdminState::draining);
  renew_candidates();
  settings_.servers[0].weight = 5;
  apply();
  EXPECT_EQ(server(0).admin_state(), AdminState::draining);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pick_name(), "serves");
}

// A reload after every single pick changes nothing of the order, with any picker.
TEST_F(GenerationTest, APickerGoesOnWhereItWasIfTheServersAreTheSame) {
  struct Run {
    TestWorker worker;
    Http1ServerConnections connections = {};
    std::vector<ServerLease> leases = {};
    std::vector<std::size_t> picked = {};
  };
  for (std::uint32_t weight : {1u, 2u, 3u, 4u, 5u}) {
    add_server(std::to_string(weight)).weight = weight;
  }
  add_server("backup").backup = true;
  for (const balance::PickerEntry& picker : balance::pickers()) {
    settings_.balance = balance::default_settings(picker.name);
    std::array<Run, 2> runs;
    for (std::size_t reloads = 0; reloads < 2; ++reloads) {
      Run& run = runs[reloads];
      auto backend = std::make_shared<Backend>(settings_, registry_);
      auto view = make_local<WorkerBackend>(*run.worker, backend, 1, run.connections);
      for (int i = 0; i < 60; ++i) {
        run.leases.push_back(view->pick({}, {}).lease);
        run.picked.push_back(balance::to_number(run.leases.back().index()));
        if (i % 3 == 2) run.leases.erase(run.leases.begin() + i / 3);
        if (reloads == 0) continue;
        ++settings_.queue_length;
        backend = std::make_shared<Backend>(settings_, registry_, backend.get());
        backend->adopt_servers({});
        view = make_local<WorkerBackend>(*run.worker, backend, 1, run.connections, view.get());
      }
      run.leases.clear();
    }
    EXPECT_EQ(runs[0].picked, runs[1].picked) << picker.name;
  }
}

// Whatever changes between two picks: each pick gives a server of the newest generation.
TEST_F(GenerationTest, AnyPickerPicksAfterAnyChange) {
  Random random(1);
  for (const balance::PickerEntry& picker : balance::pickers()) {
    settings_.balance = balance::default_settings(picker.name);
    settings_.servers.clear();
    add_server("always");
    std::vector<ServerLease> leases;
    for (int change = 0; change < 200; ++change) {
      const std::string name = std::to_string(random.below(20));
      const auto known = std::ranges::find(settings_.servers, name, [](const ServerSettings& s) {
        return std::string_view(s.name.value);
      });
      if (known == settings_.servers.end()) {
        add_server(name).weight = random.below(5);
      } else if (random.below(2) == 0) {
        settings_.servers.erase(known);
      } else {
        known->backup = !known->backup;
      }
      if (random.below(10) == 0) {
        settings_.balance = balance::default_settings(
            balance::pickers()[random.below(balance::pickers().size())].name);
      }
      apply();
      for (int i = 0; i < 5; ++i) {
        leases.push_back(pick());
        ASSERT_TRUE(leases.back());
        EXPECT_EQ(leases.back().pool().owner(), view_.get());
      }
      while (leases.size() > 30) leases.erase(leases.begin() + random.below(30));
    }
    leases.clear();
    for (std::size_t i = 0; i < backend_->size(); ++i) EXPECT_EQ(server(i).leases(), 0u);
    view_.reset();
    backend_.reset();
  }
}

TEST_F(GenerationTest, OnlyThoseThatAreInUseLive) {
  add_server("s");
  apply();
  const LocalRef<WorkerBackend> oldest = view_;
  std::vector<std::weak_ptr<Backend>> generations{backend_};
  LocalRef<WorkerBackend> in_between;
  for (int i = 0; i < 10; ++i) {
    ++settings_.queue_length;
    apply();
    generations.emplace_back(backend_);
    if (i == 4) in_between = view_;
    EXPECT_EQ(&oldest->newest(), view_.get());
  }
  EXPECT_EQ(&in_between->newest(), view_.get());
  for (std::size_t i = 0; i < generations.size(); ++i) {
    EXPECT_EQ(generations[i].expired(), i != 0 && i != 5 && i != 10) << i;
  }
  in_between.reset();
  EXPECT_TRUE(generations[5].expired());
  EXPECT_EQ(&oldest->newest(), view_.get());
}

TEST_F(GenerationTest, WhoBeganBeforeAChangePicksFromTheNewest) {
  add_server("before");
  apply();
  const LocalRef<WorkerBackend> before = view_;
  RetryPlan plan(settings_.retry, {}, {});
  settings_.servers.clear();
  add_server("after");
  apply();
  const ServerLease lease = plan.pick(*before, {}).lease;
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease.server().name(), "after");
}

TEST_F(GenerationTest, AServerThatWasTriedStaysTried) {
  for (const char* name : {"a", "b", "c"}) add_server(name);
  apply();
  const LocalRef<WorkerBackend> before = view_;
  settings_.retry.attempts = 5;
  RetryPlan plan(settings_.retry, {}, {});
  EXPECT_EQ(plan.pick(*before, {}).lease.server().name(), "a");
  // The places change, and whose turn it is begins anew: with the one that was tried.
  std::swap(settings_.servers[0], settings_.servers[1]);
  std::swap(settings_.servers[0], settings_.servers[2]);
  apply();
  EXPECT_EQ(plan.pick(*before, {}).lease.server().name(), "c");
  std::ranges::reverse(settings_.servers);
  apply();
  EXPECT_EQ(plan.pick(*before, {}).lease.server().name(), "b");
  // All have been tried: another round, but not at once the same one.
  EXPECT_NE(plan.pick(*before, {}).lease.server().name(), "b");
}

TEST_F(GenerationTest, AServerThatWasReplacedHasNotBeenTried) {
  FakeServer first;
  FakeServer second;
  add_server("a", first.address);
  add_server("b", first.address);
  apply();
  RetryPlan plan(settings_.retry, {}, {});
  EXPECT_EQ(plan.pick(*view_, {}).lease.server().name(), "a");
  settings_.servers[0].address.address = second.address;
  settings_.servers.pop_back();
  apply();
  const ServerLease lease = plan.pick(*view_, {}).lease;
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease.server().address().address, second.address);
}

TEST_F(GenerationTest, FewerIdleConnectionsAreKeptOnceTheLimitIsLower) {
  FakeServer fake;
  add_server("s", fake.address);
  apply();
  std::array<ServerLease, 3> leases{pick(), pick(), pick()};
  std::vector<ServerStream> streams;
  for (const ServerLease& lease : leases) {
    streams.push_back(connect(lease));
    accept(fake);
  }
  for (std::size_t i = 0; i < 3; ++i) exchange(std::move(streams[i]), fake.peers[i]);
  settings_.pool.idle_max = 1;
  apply();
  EXPECT_TRUE(is_closed(fake.peers[0]));
  EXPECT_TRUE(is_closed(fake.peers[1]));
  EXPECT_FALSE(fake.peers[2].is_over());
}

TEST_F(GenerationTest, ABackendThatHasLeftServesWhatIsUnderWay) {
  FakeServer fake;
  add_server("s", fake.address);
  apply();
  use(fake);
  view_->retire();
  EXPECT_TRUE(is_closed(fake.peers[0]));
  use(fake);
  EXPECT_TRUE(is_closed(fake.peers[1]));
}

class Taker final : public QueueWait {
 public:
  Taker(WorkerWaitQueue& queue, net::CancelSlot& cancel, TimePoint until, Server& server) noexcept
      : QueueWait(queue, cancel, {.until = until, .length_max = 1}), server_(server) {}

 private:
  bool try_take() noexcept override { return server_.try_begin_lease(); }
  Server& server_;
};

struct Release : Deferred {
  explicit Release(ServerLease& released) noexcept
      : Deferred([](Deferred& self) noexcept { static_cast<Release&>(self).lease.release(); }),
        lease(released) {}
  ServerLease& lease;
};

// A long response holds its lease, but no backend; others may wait for the same server.
TEST_F(GenerationTest, ASlotThatOutlivedItsBackendGoesToWhoWaits) {
  add_server("s").maxconn = 1;
  apply();
  const LocalRef<WorkerWaitQueue> queue(view_->wait_queue());
  ServerLease lease = pick();
  ASSERT_TRUE(lease);
  view_.reset();
  Release release(lease);
  worker_->defer(release);
  bool has_taken = false;
  worker_.run([&]() -> Task<> {
    const auto taken = co_await Taker(*queue, cancel_, worker_->now() + 5s, server(0));
    has_taken = taken.has_value();
  });
  EXPECT_TRUE(has_taken);
  server(0).end_lease();
}

}  // namespace
}  // namespace weir::backend
