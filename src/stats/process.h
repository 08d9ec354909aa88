#pragma once
// The metrics that the kernel keeps about this process.

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "stats/prometheus.h"

namespace weir::stats {

struct ProcessFacts {
  std::string_view version;
  WallTime started;
  std::size_t workers = 0;
  std::string_view reactor = {};
};

// Appends build_info, reactor_info, start_time, uptime, workers, descriptors and memory. Reads
// /proc: not on a worker. What cannot be read is left out.
void append_process_samples(const ProcessFacts& facts, WallTime now, std::vector<Sample>& samples);

}  // namespace weir::stats
