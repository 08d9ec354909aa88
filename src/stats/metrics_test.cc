#include "stats/metrics.h"

#include <gtest/gtest.h>
#include <set>

#include "stats/cells.h"

namespace weir::stats {
namespace {

std::size_t block_bytes(MetricScope scope) {
  switch (scope) {
    case MetricScope::process:
    case MetricScope::worker:
      return sizeof(WorkerCells);
    case MetricScope::listener:
      return sizeof(ListenerCells);
    case MetricScope::group:
      return sizeof(GroupCells);
    case MetricScope::backend:
      return sizeof(BackendCells);
    case MetricScope::server:
      return sizeof(ServerCells);
    case MetricScope::name:
      return 0;
  }
  return 0;
}

std::size_t cells_bytes(const MetricRow& row) {
  if (row.type == MetricType::histogram) return sizeof(Histogram);
  switch (row.split) {
    case MetricSplit::none:
      return sizeof(Cell);
    case MetricSplit::status_class:
      return sizeof(StatusCells);
    case MetricSplit::reason:
      return sizeof(ErrorCells);
    case MetricSplit::side_and_reason:
      return sizeof(SideErrorCells);
  }
  return 0;
}

TEST(Metrics, AreNamedAsPrometheusAdvises) {
  std::set<std::string_view> names;
  for (const MetricRow& row : metric_rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.name.starts_with("weir_")) << row.name;
    EXPECT_EQ(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), row.name.npos) << row.name;
    EXPECT_EQ(row.name.ends_with("_total"), row.type == MetricType::counter) << row.name;
    EXPECT_EQ(row.name.contains("_seconds"), row.unit == MetricUnit::seconds) << row.name;
    EXPECT_EQ(row.name.contains("_bytes"), row.unit == MetricUnit::bytes) << row.name;
    EXPECT_TRUE(row.help.ends_with('.')) << row.name;
    EXPECT_EQ(row.help.find_first_of("\\\n|"), row.help.npos) << "needs no escaping: " << row.name;
  }
}

TEST(Metrics, PointIntoTheCellsOfTheirScope) {
  for (const MetricRow& row : metric_rows()) {
    for (const std::uint16_t cell : {row.cell, row.subtracted}) {
      if (cell == kNoCell) continue;
      EXPECT_LE(cell + cells_bytes(row), block_bytes(row.scope)) << row.name;
      EXPECT_EQ(cell % sizeof(Cell), 0u) << row.name;
    }
  }
}

TEST(MetricsReference, HasALineForEachMetric) {
  const std::string page = metrics_reference();
  for (const MetricRow& row : metric_rows()) {
    const std::string line =
        "| `" + std::string(row.name) + "` | " + std::string(word_of(row.type)) + " | ";
    EXPECT_NE(page.find(line), page.npos) << row.name;
  }
  EXPECT_NE(page.find("## Servers\n\nLabels: `backend`, `server`.\n"), page.npos);
}

}  // namespace
}  // namespace weir::stats
