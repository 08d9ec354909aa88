#include "proxy/worker_loads.h"

namespace weir::proxy {

std::uint32_t WorkerLoads::place(std::uint32_t worker) noexcept {
  std::uint32_t least = worker;
  std::uint32_t least_load = loads_[worker].connections.load(std::memory_order_relaxed);
  const std::uint64_t own = std::uint64_t{least_load} + 1;
  std::uint64_t sum = own;
  std::uint32_t open = 1;
  for (std::uint32_t i = 0; i < workers_; ++i) {
    if (i == worker) continue;
    const std::uint32_t load = loads_[i].connections.load(std::memory_order_relaxed);
    if (load == kClosed) continue;
    sum += load;
    ++open;
    if (load >= least_load) continue;
    least = i;
    least_load = load;
  }
  const std::uint64_t excess = own - least_load;
  const bool is_too_many = excess >= 2 && excess * 8 * open > sum;
  if (is_too_many && try_join(least)) return least;
  loads_[worker].connections.fetch_add(1, std::memory_order_relaxed);
  return worker;
}

std::uint64_t WorkerLoads::total() const noexcept {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < workers_; ++i) sum += connections(i);
  return sum;
}

bool WorkerLoads::try_join(std::uint32_t worker) noexcept {
  std::atomic<std::uint32_t>& connections = loads_[worker].connections;
  std::uint32_t seen = connections.load(std::memory_order_relaxed);
  do {
    if (seen == kClosed) return false;
  } while (!connections.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed));
  return true;
}

bool WorkerLoads::try_close(std::uint32_t worker) noexcept {
  std::uint32_t none = 0;
  return loads_[worker].connections.compare_exchange_strong(none, kClosed,
                                                            std::memory_order_relaxed) ||
         none == kClosed;
}

}  // namespace weir::proxy
