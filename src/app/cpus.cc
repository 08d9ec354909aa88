#include "app/cpus.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <string>

namespace weir::app {
namespace {

std::uint32_t count_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&set)));
}

// The path of the process's group in a hierarchy of /proc/self/cgroup; `controller` is empty for
// v2.
std::string group_path(const std::string& controller) {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool found = controller.empty()
                           ? controllers == ",,"
                           : controllers.find("," + controller + ",") != std::string::npos;
    if (found) return line.substr(second + 1);
  }
  return {};
}

// CPUs by the quota of one group and all above it; infinity without one.
double smallest_quota(const std::string& mount, std::string path,
                      bool (*read)(const std::string&, double&)) {
  double smallest = INFINITY;
  for (;;) {
    double cpus = INFINITY;
    if (read(mount + path, cpus)) smallest = std::min(smallest, cpus);
    if (path.empty() || path == "/") return smallest;
    path.erase(path.find_last_of('/'));
  }
}

bool read_v2(const std::string& group, double& cpus) {
  std::ifstream file(group + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return false;
  cpus = std::stod(quota) / period;
  return true;
}

bool read_v1(const std::string& group, double& cpus) {
  double quota = 0;
  double period = 0;
  std::ifstream quota_file(group + "/cpu.cfs_quota_us");
  std::ifstream period_file(group + "/cpu.cfs_period_us");
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return false;
  cpus = quota / period;
  return true;
}

}  // namespace

std::uint32_t count_usable_cpus() {
  const double quota = std::min(smallest_quota("/sys/fs/cgroup", group_path(""), &read_v2),
                                smallest_quota("/sys/fs/cgroup/cpu", group_path("cpu"), &read_v1));
  const double capped = std::min<double>(count_affinity(), std::ceil(quota));
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(capped));
}

}  // namespace weir::app
