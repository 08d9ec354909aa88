#pragma once
// SimJobs: files' jobs in simulated time: each is run after a while, on the worker that asked.

#include <cstddef>
#include <map>

#include "runtime/jobs.h"
#include "sim/network.h"

namespace weir::sim {

class SimJobs final : public JobQueue {
 public:
  explicit SimJobs(Random& random) noexcept : random_(random) {}
  // Of a thousand jobs so many find the queue full.
  void set_refused(std::uint32_t permille) noexcept { refused_permille_ = permille; }

 private:
  struct Pending : Timer {
    Pending(SimJobs& in, Job& of) noexcept;
    SimJobs& jobs;
    Job& job;
  };
  Error enqueue(Worker& worker, Job& job) noexcept override;

  Random& random_;
  std::uint32_t refused_permille_ = 0;
  std::map<Job*, Pending> pending_;
};

}  // namespace weir::sim
