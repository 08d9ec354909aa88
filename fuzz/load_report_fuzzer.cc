// Any bytes, read as a load report in either format: what is read is within its range, and
// something has been read or refused.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>

#include "backend/load_report.h"

namespace {

using namespace weir::backend;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const std::optional<ParsedLoadReport>& parsed) {
  if (!parsed) return;
  const LoadReport& report = parsed->report;
  require(parsed->ignored != 0 || report != LoadReport());
  const auto is_within = [](std::optional<double> reading, double max) {
    return !reading || (*reading >= 0 && *reading <= max);
  };
  require(is_within(report.cpu, 100) && is_within(report.memory, 100));
  require(is_within(report.disk, 100) && is_within(report.utilization, 1));
  require(is_within(report.queue, std::numeric_limits<double>::max()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const LoadMetrics metrics{.cpu = "cpu_ratio",
                            .memory = "memory",
                            .disk = "disk",
                            .queue = "queue",
                            .utilization = "utilization"};
  check(parse_json_report(text));
  check(parse_prometheus_report(text, metrics));
  return 0;
}
