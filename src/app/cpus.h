#pragma once
// How many CPUs this process may use.

#include <cstdint>

namespace weir::app {

// CPUs in the affinity mask, capped by the quota of the process's cgroup (v2 or v1), rounded up; at
// least 1.
std::uint32_t count_usable_cpus();

}  // namespace weir::app
