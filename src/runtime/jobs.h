#pragma once
// Jobs: one thread for work that would keep a worker or the control thread from its loop: rendering
// metrics, compiling configurations, files. A task hands its work over and awaits it.

#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <mutex>
#include <thread>

#include "base/intrusive_list.h"
#include "base/result.h"
#include "runtime/worker.h"

namespace weir {

// Belongs to whoever awaits it, and to the jobs thread meanwhile.
class Job : private Link, private Message {
 public:
  // The jobs thread.
  virtual void run() noexcept = 0;

 protected:
  ~Job() = default;

 private:
  friend class Jobs;
  friend class IntrusiveList<Job>;
  void deliver() noexcept final { waiter_.resume(); }
  Worker* worker_ = nullptr;
  std::coroutine_handle<> waiter_;
};

class Jobs {
 public:
  // Jobs that may wait for their turn.
  static constexpr std::size_t kQueueMax = 1'024;

  // Starts the thread.
  Jobs();
  Jobs(const Jobs&) = delete;
  ~Jobs() { stop(); }

  // Awaits job.run(); the task goes on on its worker, whose thread makes the call. Errors, without
  // the job being run: queue_full, and shutting_down after stop().
  auto run(Worker& worker, Job& job) noexcept {
    struct Awaiter {
      Jobs& jobs;
      Job& job;
      Error error;
      bool await_ready() const noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> task) noexcept {
        job.waiter_ = task;
        error = jobs.enqueue(job);
        return error.kind == ErrorKind::none;
      }
      Result<void> await_resume() const noexcept {
        if (error.kind != ErrorKind::none) return fail(error);
        return {};
      }
    };
    job.worker_ = &worker;
    return Awaiter{*this, job, {}};
  }

  // Takes no more, finishes what is queued and ends the thread. Workers with a task that waits must
  // outlive the call, and turn once more to resume it. One thread.
  void stop();

 private:
  Error enqueue(Job& job) noexcept;
  void serve() noexcept;
  Job* next_job() noexcept;

  std::mutex mutex_;  // guards what follows, up to thread_
  std::condition_variable changed_;
  IntrusiveList<Job> queue_;
  std::size_t queued_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir
