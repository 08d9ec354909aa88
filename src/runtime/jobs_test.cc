#include "runtime/jobs.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <latch>
#include <optional>
#include <vector>

#include "runtime/scope.h"

namespace weir {
namespace {

std::unique_ptr<Worker> make_worker(std::uint32_t index) {
  return Worker::make(index, 1 << 20, 42).value();
}

// Holds the jobs thread up.
struct Gate {
  std::latch reached{1};
  std::latch open{1};
};

struct Record final : Job {
  void run() noexcept override {
    ran_on = std::this_thread::get_id();
    if (gate == nullptr) return;
    gate->reached.count_down();
    gate->open.wait();
  }
  std::thread::id ran_on;
  Gate* gate = nullptr;
};

Task<> await_job(Jobs& jobs, Worker& worker, Job& job, std::optional<Result<void>>& result) {
  result = co_await jobs.run(worker, job);
}

void spawn(Scope& scope, Jobs& jobs, Worker& worker, Job& job,
           std::optional<Result<void>>& result) {
  scope.spawn(&await_job, std::ref(jobs), std::ref(worker), std::ref(job), std::ref(result));
}

TEST(Jobs, RunElsewhereAndTheTaskGoesOnOnItsWorker) {
  const auto worker = make_worker(0);
  Jobs jobs;
  Scope scope;
  std::optional<Record> job(std::in_place);
  std::thread::id ran_on;
  std::thread::id resumed_on;
  scope.spawn([&]() -> Task<> {
    EXPECT_TRUE(co_await jobs.run(*worker, *job));
    ran_on = job->ran_on;
    resumed_on = std::this_thread::get_id();
    job.reset();
  });
  while (scope.running() != 0) worker->turn();
  EXPECT_NE(ran_on, std::thread::id());
  EXPECT_NE(ran_on, std::this_thread::get_id());
  EXPECT_EQ(resumed_on, std::this_thread::get_id());
}

TEST(Jobs, RunInTheOrderTheyCame) {
  const auto worker = make_worker(0);
  Jobs jobs;
  Scope scope;
  std::vector<int> order;
  struct Append final : Job {
    Append(std::vector<int>& to, int what) : numbers(to), number(what) {}
    void run() noexcept override { numbers.push_back(number); }
    std::vector<int>& numbers;
    int number;
  };
  const auto append = [&](int number) -> Task<> {
    Append job(order, number);
    EXPECT_TRUE(co_await jobs.run(*worker, job));
  };
  for (int number = 0; number < 100; ++number) scope.spawn(append, number);
  while (scope.running() != 0) worker->turn();
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(Jobs, AFullQueueIsAnError) {
  const auto worker = make_worker(0);
  Gate gate;
  Jobs jobs;
  Scope scope;
  Record running;
  running.gate = &gate;
  std::optional<Result<void>> result;
  spawn(scope, jobs, *worker, running, result);
  gate.reached.wait();
  std::vector<Record> waiting(Jobs::kQueueMax);
  std::vector<std::optional<Result<void>>> results(waiting.size());
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    spawn(scope, jobs, *worker, waiting[i], results[i]);
  }
  Record one_too_many;
  std::optional<Result<void>> refused;
  spawn(scope, jobs, *worker, one_too_many, refused);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error().kind, ErrorKind::queue_full);
  gate.open.count_down();
  while (scope.running() != 0) worker->turn();
  EXPECT_EQ(one_too_many.ran_on, std::thread::id());
  EXPECT_TRUE(*result);
  for (const auto& done : results) EXPECT_TRUE(*done);
}

TEST(Jobs, StopFinishesWhatIsQueuedAndRefusesTheRest) {
  const auto worker = make_worker(0);
  Gate gate;
  Jobs jobs;
  Scope scope;
  std::array<Record, 10> records;
  std::array<std::optional<Result<void>>, 10> results;
  records[0].gate = &gate;
  for (std::size_t i = 0; i < records.size(); ++i) {
    spawn(scope, jobs, *worker, records[i], results[i]);
  }
  gate.open.count_down();
  jobs.stop();
  for (const Record& record : records) EXPECT_NE(record.ran_on, std::thread::id());
  while (scope.running() != 0) worker->turn();
  for (const auto& result : results) EXPECT_TRUE(*result);

  Record late;
  std::optional<Result<void>> refused;
  spawn(scope, jobs, *worker, late, refused);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error().kind, ErrorKind::shutting_down);
  EXPECT_EQ(late.ran_on, std::thread::id());
}

TEST(Jobs, SeveralWorkersShareThem) {
  const auto here = make_worker(0);
  const auto there = make_worker(1);
  Jobs jobs;
  std::atomic<int> resumed = 0;
  const auto use = [&](Worker* worker) {
    Scope scope;
    const auto task = [&]() -> Task<> {
      for (int i = 0; i < 200; ++i) {
        Record job;
        EXPECT_TRUE(co_await jobs.run(*worker, job));
        ++resumed;
      }
    };
    scope.spawn(task);
    scope.spawn(task);
    while (scope.running() != 0) worker->turn();
  };
  std::thread other(use, there.get());
  use(here.get());
  other.join();
  EXPECT_EQ(resumed, 800);
}

}  // namespace
}  // namespace weir
