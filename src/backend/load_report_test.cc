#include "backend/load_report.h"

#include <gtest/gtest.h>
#include <string>

namespace weir::backend {
namespace {

TEST(JsonReport, EveryReadingIsRead) {
  const auto parsed = parse_json_report(
      R"({"cpu": 45.2, "memory": 60.1, "disk": 30.5, "queue": 3, "utilization": 0.4})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->report, (LoadReport{45.2, 60.1, 30.5, 3, 0.4}));
  EXPECT_EQ(parsed->ignored, 0u);
}

TEST(JsonReport, WhatIsLeftOutIsNotKnown) {
  const auto parsed = parse_json_report(R"({"memory": 0})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->report, (LoadReport{.memory = 0}));
}

TEST(JsonReport, UnknownKeysArePassedOverWhateverIsInThem) {
  const auto parsed = parse_json_report(
      R"({"host": "a", "all": [{"cpu": 1}, 2], "of": {"cpu": 3}, "cpu": 4, "up": true})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->report, (LoadReport{.cpu = 4}));
  EXPECT_EQ(parsed->ignored, 0u);
}

TEST(JsonReport, WhatIsOutOfRangeOrNoNumberIsIgnoredAndCounted) {
  const auto parsed = parse_json_report(
      R"({"cpu": 100.1, "memory": -1, "disk": "30", "queue": [1], "utilization": 1})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->report, (LoadReport{.utilization = 1}));
  EXPECT_EQ(parsed->ignored, 4u);
}

TEST(JsonReport, OfTwoTheFirstCounts) {
  EXPECT_EQ(parse_json_report(R"({"cpu": 1, "cpu": 2})")->report, (LoadReport{.cpu = 1}));
}

TEST(JsonReport, OtherTextIsMalformed) {
  for (const char* text : {"", "{", "garbage", "[]", "45", "null", "{}", R"({"cpu": 1} x)",
                           R"({"cpu": 1,})", R"([{"cpu": 1}])", R"({"cpu": NaN})"}) {
    EXPECT_FALSE(parse_json_report(text)) << text;
  }
}

TEST(JsonReport, DeepNestingTakesNoStack) {
  const std::string deep = R"({"x": )" + std::string(60'000, '[');
  EXPECT_FALSE(parse_json_report(deep));
  EXPECT_TRUE(parse_json_report(deep + std::string(60'000, ']') + R"(, "cpu": 1})"));
}

LoadMetrics cpu_named(const std::string& name) {
  LoadMetrics metrics;
  metrics.cpu = name;
  return metrics;
}

constexpr std::string_view kMetrics = R"(# HELP node_cpu_ratio CPU in use.
# TYPE node_cpu_ratio gauge
node_cpu_ratio{mode="}\"busy"} 0.452 1395066363000

memory_percent 6.01e1
  disk_percent	+30.5
queue_length{} 3
queue_length{queue="other"} 7
other_metric NaN
)";

TEST(PrometheusReport, FirstSamplesOfTheMetricsNamedAreRead) {
  const LoadMetrics metrics{.cpu = "node_cpu_ratio",
                            .memory = "memory_percent",
                            .disk = "disk_percent",
                            .queue = "queue_length",
                            .utilization = "node_cpu_ratio"};
  const auto parsed = parse_prometheus_report(kMetrics, metrics);
  ASSERT_TRUE(parsed);
  EXPECT_NEAR(parsed->report.cpu.value(), 45.2, 1e-9);
  EXPECT_EQ(parsed->report.memory, 60.1);
  EXPECT_EQ(parsed->report.disk, 30.5);
  EXPECT_EQ(parsed->report.queue, 3);
  EXPECT_EQ(parsed->report.utilization, 0.452);
  EXPECT_EQ(parsed->ignored, 0u);
}

TEST(PrometheusReport, WhatIsOutOfRangeOrNoNumberIsIgnoredAndCounted) {
  const LoadMetrics metrics{
      .cpu = "a", .memory = "b", .disk = "c", .queue = "d", .utilization = "e"};
  const auto parsed = parse_prometheus_report("a NaN\nb +Inf\nc x\nd 1\n", metrics);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->report, (LoadReport{.queue = 1}));
  EXPECT_EQ(parsed->ignored, 3u);
}

TEST(PrometheusReport, TextWithoutAMetricNamedSaysNothing) {
  EXPECT_FALSE(parse_prometheus_report(kMetrics, cpu_named("node_cpu")));
  EXPECT_FALSE(parse_prometheus_report("", cpu_named("a")));
}

TEST(PrometheusReport, MalformedLinesMakeTheWholeMalformed) {
  for (const char* text : {"a", "a{", "a{x=\"}", "{x=\"y\"} 1", "<html>\na 1"}) {
    EXPECT_FALSE(parse_prometheus_report(text, cpu_named("a"))) << text;
  }
}

}  // namespace
}  // namespace weir::backend
