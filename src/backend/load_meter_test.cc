#include "backend/load_meter.h"

#include <cmath>
#include <gtest/gtest.h>

namespace weir::backend {
namespace {

using namespace std::chrono_literals;

class LoadMeterTest : public testing::Test {
 protected:
  LoadMeterTest() {
    settings_.name.value = "b";
    settings_.balance.least_bandwidth.emplace();
    for (const char* name : {"a", "b", "c"}) settings_.servers.emplace_back().name.value = name;
  }

  void start() {
    backend_ = std::make_shared<Backend>(settings_, registry_);
    meter_ = std::make_unique<LoadMeter>(backend_);
    look();
  }
  void look(const ReportedLoad& reported = {}) {
    for (std::size_t i = 0; i < backend_->size(); ++i) {
      meter_->read(balance::to_server(i), reported, now_);
    }
    meter_->publish(now_);
  }
  void pass(Duration time) {
    now_ += time;
    look();
  }
  stats::ServerCells& cells(std::size_t server, std::size_t worker = 0) {
    return backend_->server(balance::to_server(server)).stats().of(worker);
  }
  const balance::ServerReadings& readings(std::size_t server) {
    return meter_->readings(balance::to_server(server));
  }
  float score(std::size_t server) { return backend_->scores()[server].load(); }

  stats::Registry registry_{2};
  BackendSettings settings_;
  std::shared_ptr<Backend> backend_;
  std::unique_ptr<LoadMeter> meter_;
  TimePoint now_ = TimePoint{} + 1h;
};

TEST_F(LoadMeterTest, ScoresAreUnknownUntilTheyAreMade) {
  backend_ = std::make_shared<Backend>(settings_, registry_);
  ASSERT_EQ(backend_->scores().size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(score(i)));
}

TEST_F(LoadMeterTest, AlgorithmsThatGoByNoScoresHaveNone) {
  settings_.balance = {};
  backend_ = std::make_shared<Backend>(settings_, registry_);
  EXPECT_TRUE(backend_->scores().empty());
}

TEST_F(LoadMeterTest, BandwidthIsOfBothWaysAndAllWorkersSinceTheLastLook) {
  const auto counted_before = registry_.server("b", "a");
  counted_before->of(0).bytes_received.add(1'000'000'000);
  start();
  EXPECT_EQ(readings(0).mbps, 0);
  cells(0, 0).bytes_received.add(1'000'000);
  cells(0, 1).bytes_sent.add(500'000);
  cells(1).bytes_received.add(250'000);
  pass(1s);
  EXPECT_DOUBLE_EQ(readings(0).mbps, 12);
  EXPECT_DOUBLE_EQ(readings(1).mbps, 2);
  EXPECT_EQ(readings(2).mbps, 0);
  EXPECT_FLOAT_EQ(score(0), 12);
  EXPECT_FLOAT_EQ(score(1), 2);
  EXPECT_EQ(score(2), 0);
}

TEST_F(LoadMeterTest, ASteadyRateIsItselfHoweverOftenItIsLookedAt) {
  start();
  for (const Duration step : {1000ms, 250ms, 3000ms, 1000ms}) {
    cells(0).bytes_received.add(static_cast<std::uint64_t>(step / 1ms) * 1'000);
    pass(step);
    EXPECT_NEAR(readings(0).mbps, 8, 1e-9);
  }
}

TEST_F(LoadMeterTest, ABurstFadesWithinSeconds) {
  start();
  cells(0).bytes_received.add(10'000'000);
  pass(1s);
  double before = readings(0).mbps;
  EXPECT_DOUBLE_EQ(before, 80);
  for (int second = 0; second < 30; ++second) {
    pass(1s);
    EXPECT_LT(readings(0).mbps, before);
    before = readings(0).mbps;
  }
  EXPECT_LT(before, 0.1);
  EXPECT_GT(before, 0);
}

TEST_F(LoadMeterTest, ResponseTimesAreAveragesOverTheResponses) {
  start();
  EXPECT_FALSE(readings(0).response_ms);
  for (const Duration time : {10ms, 20ms, 60ms}) {
    cells(0).response_head.record(time);
    cells(0).responses.count(200);
  }
  pass(1s);
  EXPECT_NEAR(readings(0).response_ms.value(), 30, 1e-9);
  EXPECT_FALSE(readings(1).response_ms);
  pass(10s);
  EXPECT_NEAR(readings(0).response_ms.value(), 30, 1e-9);  // nothing newer is known
  pass(60s);
  EXPECT_FALSE(readings(0).response_ms);
}

TEST_F(LoadMeterTest, NewResponseTimesOutweighOldOnes) {
  start();
  cells(0).response_head.record(100ms);
  cells(0).responses.count(200);
  pass(1s);
  cells(0).response_head.record(10ms);
  cells(0).responses.count(200);
  pass(5s);
  const double old = std::exp(-1.0);  // what is left of the first
  EXPECT_NEAR(readings(0).response_ms.value(), (100 * old + 10) / (1 + old), 1e-9);
}

TEST_F(LoadMeterTest, FailedResponsesAndConnectsAreErrors) {
  start();
  for (const unsigned status : {200u, 404u, 503u}) cells(0).responses.count(status);
  cells(0, 1).connect_failures.add();
  cells(1).responses.count(200);
  cells(2).connect_failures.add();
  pass(1s);
  EXPECT_DOUBLE_EQ(readings(0).error_share, 0.5);
  EXPECT_EQ(readings(1).error_share, 0);
  EXPECT_EQ(readings(2).error_share, 1);
}

TEST_F(LoadMeterTest, ReportsAndSettingsArePassedOn) {
  settings_.balance = {};
  settings_.balance.resource.emplace();
  settings_.servers[0].maxconn = 500;
  settings_.servers[0].capacity_scaler = 0.5;
  start();
  EXPECT_TRUE(std::isnan(score(0)));
  for (int i = 0; i < 120; ++i) {
    ASSERT_TRUE(backend_->server(balance::to_server(0)).try_begin_lease());
  }
  look({.report = {.cpu = 45.2, .memory = 60.1, .disk = 30.5}, .round_trip_ms = 0.25});
  EXPECT_FLOAT_EQ(score(0), 42.222F);
  EXPECT_FLOAT_EQ(score(1), 42.21F);
  EXPECT_EQ(readings(0).connections, 120);
  EXPECT_EQ(readings(0).connections_max, 500);
  EXPECT_EQ(readings(0).capacity_scaler, 0.5);
  EXPECT_EQ(readings(0).round_trip_ms, 0.25);
  for (int i = 0; i < 120; ++i) backend_->server(balance::to_server(0)).end_lease();
}

TEST_F(LoadMeterTest, ANewGenerationGoesOnWithItsServers) {
  start();
  cells(0).bytes_received.add(1'000'000);
  pass(1s);
  settings_.servers.erase(settings_.servers.begin() + 1);
  const auto next = std::make_shared<Backend>(settings_, registry_, backend_.get());
  meter_ = std::make_unique<LoadMeter>(next, meter_.get());
  backend_ = next;
  pass(1s);
  EXPECT_GT(readings(0).mbps, 3);
  EXPECT_LT(readings(0).mbps, 8);
  EXPECT_EQ(readings(1).mbps, 0);
}

TEST_F(LoadMeterTest, AForecastGoesOnInANewGenerationUnlessItsSettingsChange) {
  auto& forecast = settings_.balance.least_bandwidth->forecast.emplace();
  forecast.ahead = 10s;
  forecast.step = 1s;
  start();
  const auto next_generation = [&] {
    const auto next = std::make_shared<Backend>(settings_, registry_, backend_.get());
    meter_ = std::make_unique<LoadMeter>(next, meter_.get());
    backend_ = next;
  };
  for (int second = 0; second < 60; ++second) {
    cells(0).bytes_received.add(static_cast<std::uint64_t>(second) * 1'000'000);
    pass(1s);
    if (second == 40) next_generation();
  }
  const double measured = readings(0).mbps;
  EXPECT_GT(score(0), measured + 60);  // it rises by 8 Mbit/s a second

  forecast.ahead = 20s;
  next_generation();
  pass(1s);
  EXPECT_FLOAT_EQ(score(0), static_cast<float>(readings(0).mbps));
}

}  // namespace
}  // namespace weir::backend
