#pragma once
// Slots of a server: its leases are counted over all workers, and maxconn limits them.
//
// A release and a request that begins to wait must not miss each other (Dekker's problem): the one
// gives its slot back and then looks whether anybody waits, the other says that it waits and then
// looks for a slot. With sequentially consistent operations at least one of them sees the other;
// nothing else hangs on the order, since a slot guards no data.

#include <atomic>
#include <cstdint>

namespace weir::backend {

// Any thread. maxconn 0: no limit.
inline bool is_full(const std::atomic<std::uint32_t>& leases, std::uint32_t maxconn) noexcept {
  return maxconn != 0 && leases.load(std::memory_order_seq_cst) >= maxconn;
}

// Any thread. False: all slots are taken. Leases above a maxconn that was lowered stay.
[[nodiscard]] inline bool try_acquire_slot(std::atomic<std::uint32_t>& leases,
                                           std::uint32_t maxconn) noexcept {
  if (maxconn == 0) {
    leases.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  std::uint32_t count = leases.load(std::memory_order_seq_cst);
  while (count < maxconn) {
    if (leases.compare_exchange_weak(count, count + 1, std::memory_order_seq_cst)) return true;
  }
  return false;
}

// Any thread; WaitQueue::on_slot_free() has to follow where somebody may wait.
inline void release_slot(std::atomic<std::uint32_t>& leases) noexcept {
  leases.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace weir::backend
