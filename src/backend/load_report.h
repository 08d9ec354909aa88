#pragma once
// What a server says of its own load: a JSON object (RFC 8259), or metrics in Prometheus' text
// exposition format 0.0.4. Pure; the bytes may be anything.

#include <cstdint>
#include <optional>
#include <string_view>

#include "backend/load_report_settings.h"

namespace weir::backend {

// nullopt: not said.
struct LoadReport {
  std::optional<double> cpu = {};          // percent, 0 to 100
  std::optional<double> memory = {};       // percent in use
  std::optional<double> disk = {};         // percent of the time in use
  std::optional<double> queue = {};        // requests that wait, at least 0
  std::optional<double> utilization = {};  // 0 to 1

  friend bool operator==(const LoadReport&, const LoadReport&) = default;
};

struct ParsedLoadReport {
  LoadReport report;
  std::uint32_t ignored = 0;  // readings that are no number, or out of range
};

// nullopt: the text is malformed, or says nothing of what is known here. Unknown keys, of any
// value, and unknown metrics are passed over; of a reading said twice the first counts.
std::optional<ParsedLoadReport> parse_json_report(std::string_view text);
std::optional<ParsedLoadReport> parse_prometheus_report(std::string_view text,
                                                        const LoadMetrics& metrics);
std::optional<ParsedLoadReport> parse_load_report(std::string_view text,
                                                  const LoadReportSettings& settings);

}  // namespace weir::backend
