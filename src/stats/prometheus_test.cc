#include "stats/prometheus.h"

#include <atomic>
#include <gtest/gtest.h>
#include <sstream>
#include <thread>

namespace weir::stats {
namespace {

using namespace std::chrono_literals;

std::string render(const Registry& registry, std::span<const Sample> samples = {}) {
  std::string out;
  render_prometheus(registry, samples, out);
  return out;
}

// The lines of one family, without its HELP.
std::string family(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name) || line.starts_with("# TYPE " + name + " ")) out += line + '\n';
  }
  return out;
}

TEST(Prometheus, WritesNothingForMetricsWithoutSeries) {
  EXPECT_EQ(
      render(Registry(0)),
      "# HELP weir_stats_objects_refused_total Listeners, groups, backends and servers that are "
      "counted under `(other)`, because there are too many.\n"
      "# TYPE weir_stats_objects_refused_total counter\n"
      "weir_stats_objects_refused_total 0\n");
}

TEST(Prometheus, SumsAnObjectOverItsWorkers) {
  Registry registry(2);
  const auto web = registry.listener("web");
  const auto api = registry.listener("api");
  web->of(0).requests.add(2);
  web->of(1).requests.add(3);
  EXPECT_EQ(family(render(registry), "weir_listener_requests_total"),
            "# TYPE weir_listener_requests_total counter\n"
            "weir_listener_requests_total{listener=\"api\"} 0\n"
            "weir_listener_requests_total{listener=\"web\"} 5\n");
}

TEST(Prometheus, WritesHelpAndTypeOnceBeforeTheSeries) {
  Registry registry(1);
  const auto backend = registry.backend("users");
  const std::string text = render(registry);
  EXPECT_NE(text.find("# HELP weir_backend_retries_total Attempts after the first.\n"
                      "# TYPE weir_backend_retries_total counter\n"
                      "weir_backend_retries_total{backend=\"users\"} 0\n"),
            text.npos);
}

TEST(Prometheus, OpenConnectionsAreTheAcceptedLessTheClosedOfAllWorkers) {
  Registry registry(2);
  const auto web = registry.listener("web");
  web->of(0).connections.add(5);
  web->of(1).connections_closed.add(2);  // handed over to another worker after it was accepted
  EXPECT_EQ(family(render(registry), "weir_listener_connections_open"),
            "# TYPE weir_listener_connections_open gauge\n"
            "weir_listener_connections_open{listener=\"web\"} 3\n");
}

TEST(Prometheus, ADifferenceIsNeverNegative) {
  Registry registry(1);
  const auto web = registry.listener("web");
  web->of(0).connections_closed.add(2);
  EXPECT_NE(render(registry).find("weir_listener_connections_open{listener=\"web\"} 0\n"),
            std::string::npos);
}

TEST(Prometheus, SplitsResponsesByClass) {
  Registry registry(1);
  const auto server = registry.server("users", "u1");
  for (const unsigned status : {100u, 200u, 299u, 304u, 404u, 599u}) {
    server->of(0).responses.count(status);
  }
  const std::string name = "weir_server_responses_total";
  const std::string labels = "{backend=\"users\",server=\"u1\",class=";
  EXPECT_EQ(family(render(registry), name), "# TYPE " + name + " counter\n" + name + labels +
                                                "\"1xx\"} 1\n" + name + labels + "\"2xx\"} 2\n" +
                                                name + labels + "\"3xx\"} 1\n" + name + labels +
                                                "\"4xx\"} 1\n" + name + labels + "\"5xx\"} 1\n");
}

TEST(Prometheus, ShowsOnlyTheReasonsThatOccurred) {
  Registry registry(2);
  const auto backend = registry.backend("users");
  EXPECT_EQ(family(render(registry), "weir_backend_errors_total"), "");
  backend->of(1).errors.count(ErrorKind::connect_refused);
  registry.worker(0).errors.count(make_error(ErrorKind::client_reset, Side::client));
  registry.worker(1).errors.count(make_error(ErrorKind::client_reset, Side::client));
  const std::string text = render(registry);
  EXPECT_EQ(family(text, "weir_backend_errors_total"),
            "# TYPE weir_backend_errors_total counter\n"
            "weir_backend_errors_total{backend=\"users\",reason=\"connect_refused\"} 1\n");
  EXPECT_EQ(family(text, "weir_errors_total"),
            "# TYPE weir_errors_total counter\n"
            "weir_errors_total{side=\"client\",reason=\"client_reset\"} 2\n");
}

TEST(Prometheus, ShowsEachWorkerAndItsTimeInSeconds) {
  Registry registry(2);
  registry.worker(1).busy_ns.add(1'500'000'000);
  EXPECT_EQ(family(render(registry), "weir_worker_busy_seconds_total"),
            "# TYPE weir_worker_busy_seconds_total counter\n"
            "weir_worker_busy_seconds_total{worker=\"0\"} 0.000000000\n"
            "weir_worker_busy_seconds_total{worker=\"1\"} 1.500000000\n");
}

TEST(Prometheus, WritesHistogramsOverFixedBounds) {
  Registry registry(2);
  const auto server = registry.server("users", "u1");
  server->of(0).response_head.record(50us);
  server->of(0).response_head.record(3ms);
  server->of(1).response_head.record(3ms);
  server->of(1).response_head.record(2h);
  const std::string text = family(render(registry), "weir_server_response_head_seconds");
  const std::string bucket =
      "weir_server_response_head_seconds_bucket{backend=\"users\",server=\"u1\",le=";
  EXPECT_TRUE(text.starts_with("# TYPE weir_server_response_head_seconds histogram\n" + bucket +
                               "\"0.0001\"} 1\n" + bucket + "\"0.00025\"} 1\n"));
  EXPECT_NE(text.find(bucket + "\"0.0025\"} 1\n" + bucket + "\"0.005\"} 3\n"), text.npos);
  EXPECT_TRUE(text.ends_with(
      bucket + "\"60\"} 3\n" + bucket + "\"+Inf\"} 4\n" +
      "weir_server_response_head_seconds_sum{backend=\"users\",server=\"u1\"} 7200.006050000\n"
      "weir_server_response_head_seconds_count{backend=\"users\",server=\"u1\"} 4\n"));
}

TEST(Prometheus, WritesSamplesWithTheirFamily) {
  const std::vector<Sample> samples = {
      {MetricId::server_leases, server_labels("users", "u1"), 3},
      {MetricId::snapshots_live, "", 2},
      {MetricId::server_leases, server_labels("users", "u2"), 0},
  };
  const std::string text = render(Registry(1), samples);
  EXPECT_EQ(family(text, "weir_server_leases"),
            "# TYPE weir_server_leases gauge\n"
            "weir_server_leases{backend=\"users\",server=\"u1\"} 3\n"
            "weir_server_leases{backend=\"users\",server=\"u2\"} 0\n");
  EXPECT_EQ(family(text, "weir_snapshots_live"),
            "# TYPE weir_snapshots_live gauge\nweir_snapshots_live 2\n");
}

TEST(Prometheus, ANameCannotForgeALine) {
  Registry registry(1);
  const auto evil = registry.backend("a\"} 1\nweir_workers 99\n");
  const std::string text = render(registry);
  EXPECT_EQ(text.find("\nweir_workers"), text.npos);
}

TEST(Prometheus, RendersWhileWorkersCountAndObjectsComeAndGo) {
  Registry registry(2);
  const auto web = registry.listener("web");
  std::atomic<bool> stop = false;
  std::thread worker([&] {
    ListenerCells& cells = web->of(0);
    while (!stop.load()) {
      cells.connections.add();
      cells.request_duration.record(1ms);
      cells.connections_closed.add();
    }
  });
  std::thread reload([&] {
    while (!stop.load()) registry.backend("users")->of(0).requests.add();
  });
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(render(registry).ends_with('\n'));
  }
  stop.store(true);
  worker.join();
  reload.join();
}

}  // namespace
}  // namespace weir::stats
