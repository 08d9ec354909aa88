#pragma once
// `load_report` of a backend: where its servers say how loaded they are, and in which words.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "config/description.h"

namespace weir::backend {

enum class LoadReportFormat : std::uint8_t { json, prometheus };
constexpr auto names_of(LoadReportFormat) {
  return std::to_array<std::pair<std::string_view, LoadReportFormat>>(
      {{"json", LoadReportFormat::json}, {"prometheus", LoadReportFormat::prometheus}});
}

// Names of metrics; empty: not reported.
struct LoadMetrics {
  std::string cpu;
  std::string memory;
  std::string disk;
  std::string queue;
  std::string utilization;
};

template <class V>
void describe(V& v, LoadMetrics& s) {
  v.field("cpu", s.cpu,
          "CPU in use, in percent; of 1 if the name ends in `_ratio`, as with the next two.");
  v.field("memory", s.memory, "Memory in use.");
  v.field("disk", s.disk, "Time in which the disk was in use.");
  v.field("queue", s.queue, "Requests that wait in the server.");
  v.field("utilization", s.utilization, "How much of its capacity is in use, of 1.");
}

struct LoadReportSettings {
  config::Position position;
  config::Located<std::string> path{"/load"};
  std::optional<std::uint16_t> port;
  Duration interval = std::chrono::seconds(1);
  Duration timeout = std::chrono::milliseconds(500);
  Duration expire = std::chrono::seconds(10);
  LoadReportFormat format = LoadReportFormat::json;
  std::optional<LoadMetrics> metrics;
};

template <class V>
void describe(V& v, LoadReportSettings& s) {
  using namespace std::chrono_literals;
  v.field("path", s.path, "What is asked for with GET, by HTTP/1.1.").length_max(1024);
  v.field("port", s.port, "Where it is asked for, at the server's address; without it, its port.")
      .range(1, 65535);
  v.field("interval", s.interval, "How often each server is asked.").range(100ms, 1h);
  v.field("timeout", s.timeout, "How long the whole answer may take.").range(1ms, 1min);
  v.field("expire", s.expire, "How long what a report says counts, if no other follows.")
      .range(100ms, 24h);
  v.field("format", s.format,
          "json: an object with `cpu`, `memory`, `disk` (percent), `queue` and `utilization` (of "
          "1), or some of them. prometheus: text in its exposition format, see `metrics`.");
  v.field("metrics", s.metrics,
          "With `format: prometheus`: the metric of each reading; its first sample counts.");
}

}  // namespace weir::backend
