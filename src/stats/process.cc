#include "stats/process.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sys/resource.h>
#include <unistd.h>

namespace weir::stats {
namespace {

double to_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::optional<double> read_descriptors_open() {
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  double count = 0;
  for (const std::filesystem::directory_iterator end; !error && entry != end;
       entry.increment(error)) {
    ++count;
  }
  if (error) return std::nullopt;
  return count - 1;  // one of them is the descriptor of this reading
}

std::optional<double> read_descriptors_max() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

std::optional<double> read_resident_memory() {
  std::ifstream statm("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  if (!(statm >> total_pages >> resident_pages)) return std::nullopt;
  return resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void append_process_samples(const ProcessFacts& facts, WallTime now, std::vector<Sample>& samples) {
  const auto add = [&samples](MetricId id, std::optional<double> value) {
    if (value) samples.push_back({id, "", *value});
  };
  samples.push_back({MetricId::build_info, "version=\"" + std::string(facts.version) + "\"", 1});
  samples.push_back({MetricId::reactor_info, "reactor=\"" + std::string(facts.reactor) + "\"", 1});
  add(MetricId::start_time, to_seconds(facts.started.time_since_epoch()));
  // The wall clock may be set back.
  add(MetricId::uptime, to_seconds(std::max(now - facts.started, Duration::zero())));
  add(MetricId::workers, static_cast<double>(facts.workers));
  add(MetricId::descriptors_open, read_descriptors_open());
  add(MetricId::descriptors_max, read_descriptors_max());
  add(MetricId::resident_memory, read_resident_memory());
}

}  // namespace weir::stats
