#include "sim/sim_jobs.h"

#include <chrono>

namespace weir::sim {

SimJobs::Pending::Pending(SimJobs& in, Job& of) noexcept
    : Timer([](Timer& self) noexcept {
        auto& pending = static_cast<Pending&>(self);
        SimJobs& queue = pending.jobs;
        Job& due = pending.job;
        queue.pending_.erase(&due);
        run_and_post(due);
      }),
      jobs(in),
      job(of) {}

Error SimJobs::enqueue(Worker& worker, Job& job) noexcept {
  if (random_.below(1000) < refused_permille_) {
    return make_error(ErrorKind::queue_full, Side::weir);
  }
  Pending& pending = pending_.try_emplace(&job, *this, job).first->second;
  pending.arm(worker.timers(), worker.now() + std::chrono::milliseconds(random_.below(50)));
  return {};
}

}  // namespace weir::sim
