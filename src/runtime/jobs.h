#pragma once
// Jobs: one thread for work that would keep a worker or the control thread from its loop: rendering
// metrics, compiling configurations, files. A worker hands its work over, and has it back when it
// is done.

#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <mutex>
#include <thread>

#include "base/intrusive_list.h"
#include "base/result.h"
#include "runtime/worker.h"

namespace weir {

// Belongs to whoever hands it over, and to the queue from then until done().
class Job : private Link, private Message {
 public:
  // The jobs thread.
  virtual void run() noexcept = 0;

 protected:
  ~Job() = default;

 private:
  friend class JobQueue;
  friend class Jobs;
  friend class IntrusiveList<Job>;
  // Back on its worker; may destroy the job.
  virtual void done() noexcept = 0;
  void deliver() noexcept final { done(); }
  Worker* worker_ = nullptr;
};

// A job that a task awaits, by JobQueue::run().
class AwaitedJob : public Job {
 protected:
  ~AwaitedJob() = default;

 private:
  friend class JobQueue;
  void done() noexcept final { waiter_.resume(); }
  std::coroutine_handle<> waiter_;
};

// Runs jobs, first in first out, and posts each back to its worker.
class JobQueue {
 public:
  // On the worker's thread. An error: the job is not run, and not done().
  Error submit(Worker& worker, Job& job) noexcept {
    job.worker_ = &worker;
    return enqueue(worker, job);
  }

  // Awaits job.run(); the task goes on on its worker, whose thread makes the call. Errors are those
  // of submit().
  auto run(Worker& worker, AwaitedJob& job) noexcept {
    struct Awaiter {
      JobQueue& queue;
      Worker& worker;
      AwaitedJob& job;
      Error error;
      bool await_ready() const noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> task) noexcept {
        job.waiter_ = task;
        error = queue.submit(worker, job);
        return error.kind == ErrorKind::none;
      }
      Result<void> await_resume() const noexcept {
        if (error.kind != ErrorKind::none) return fail(error);
        return {};
      }
    };
    return Awaiter{*this, worker, job, {}};
  }

 protected:
  ~JobQueue() = default;
  // For implementations: runs the job, and has done() called on its worker.
  static void run_and_post(Job& job) noexcept {
    Worker& worker = *job.worker_;
    job.run();
    worker.post(job);  // and it may be gone
  }

 private:
  virtual Error enqueue(Worker& worker, Job& job) noexcept = 0;
};

class Jobs final : public JobQueue {
 public:
  static constexpr std::size_t kQueueMax = 1'024;
  // For jobs that are bounded by what they belong to.
  static constexpr std::size_t kUnbounded = SIZE_MAX;

  // Starts the thread. thread_name: a literal of at most 15 bytes. queue_max: jobs that may wait
  // for their turn; one more is refused with queue_full, and all are with shutting_down after
  // stop().
  explicit Jobs(const char* thread_name, std::size_t queue_max = kQueueMax);
  Jobs(const Jobs&) = delete;
  ~Jobs() { stop(); }

  // Takes no more, finishes what is queued and ends the thread. Workers with a task that waits must
  // outlive the call, and turn once more to resume it. One thread.
  void stop();

 private:
  Error enqueue(Worker& worker, Job& job) noexcept override;
  void serve() noexcept;
  Job* next_job() noexcept;

  const char* const thread_name_;
  const std::size_t queue_max_;
  std::mutex mutex_;  // guards what follows, up to thread_
  std::condition_variable changed_;
  IntrusiveList<Job> queue_;
  std::size_t queued_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir
