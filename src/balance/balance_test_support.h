#pragma once
// Counters of leases as a backend has them, for tests and benchmarks of the pickers.

#include <vector>

#include "balance/picker.h"

namespace weir::balance::test {

class LeaseCounts {
 public:
  explicit LeaseCounts(std::size_t servers) : counts_(servers) {
    for (const auto& count : counts_) counters_.push_back(&count);
  }
  explicit LeaseCounts(std::initializer_list<std::uint32_t> leases) : LeaseCounts(leases.size()) {
    for (std::size_t i = 0; const std::uint32_t count : leases) counts_[i++] = count;
  }

  std::atomic<std::uint32_t>& operator[](ServerIndex server) { return counts_[to_number(server)]; }
  LeaseCounters counters() const { return counters_; }

 private:
  std::vector<std::atomic<std::uint32_t>> counts_;
  std::vector<const std::atomic<std::uint32_t>*> counters_;
};

}  // namespace weir::balance::test
