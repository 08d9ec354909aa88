#include "runtime/jobs.h"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <latch>
#include <optional>
#include <vector>

#include "runtime/reactor_test_support.h"
#include "runtime/scope.h"

namespace weir {
namespace {

std::unique_ptr<Worker> make_worker(std::uint32_t index) {
  return Worker::make(reactor_under_test(), index, 1 << 20, 42).value();
}

// Holds the jobs thread up.
struct Gate {
  std::latch reached{1};
  std::latch open{1};
};

struct Record final : AwaitedJob {
  void run() noexcept override {
    ran_on = std::this_thread::get_id();
    if (gate == nullptr) return;
    gate->reached.count_down();
    gate->open.wait();
  }
  std::thread::id ran_on;
  Gate* gate = nullptr;
};

Task<> await_job(Jobs& jobs, Worker& worker, AwaitedJob& job, std::optional<Result<void>>& result) {
  result = co_await jobs.run(worker, job);
}

void spawn(Scope& scope, Jobs& jobs, Worker& worker, AwaitedJob& job,
           std::optional<Result<void>>& result) {
  scope.spawn(&await_job, std::ref(jobs), std::ref(worker), std::ref(job), std::ref(result));
}

struct Threads {
  std::thread::id ran_on;
  std::thread::id resumed_on;
};

Task<> note_threads(Jobs& jobs, Worker& worker, Threads& threads) {
  Record job;
  EXPECT_TRUE(co_await jobs.run(worker, job));
  threads.ran_on = job.ran_on;
  threads.resumed_on = std::this_thread::get_id();
}

TEST(Jobs, RunElsewhereAndTheTaskGoesOnOnItsWorker) {
  const auto worker = make_worker(0);
  Jobs jobs("jobs");
  Scope scope;
  Threads threads;
  scope.spawn(&note_threads, std::ref(jobs), std::ref(*worker), std::ref(threads));
  while (scope.running() != 0) worker->turn();
  EXPECT_NE(threads.ran_on, std::thread::id());
  EXPECT_NE(threads.ran_on, std::this_thread::get_id());
  EXPECT_EQ(threads.resumed_on, std::this_thread::get_id());
}

struct Append final : AwaitedJob {
  Append(std::vector<int>& to, int what) : numbers(to), number(what) {}
  void run() noexcept override { numbers.push_back(number); }
  std::vector<int>& numbers;
  int number;
};

Task<> append(Jobs& jobs, Worker& worker, std::vector<int>& numbers, int number) {
  Append job(numbers, number);
  EXPECT_TRUE(co_await jobs.run(worker, job));
}

TEST(Jobs, RunInTheOrderTheyCame) {
  const auto worker = make_worker(0);
  Jobs jobs("jobs");
  Scope scope;
  std::vector<int> order;
  for (int number = 0; number < 100; ++number) {
    scope.spawn(&append, std::ref(jobs), std::ref(*worker), std::ref(order), number);
  }
  while (scope.running() != 0) worker->turn();
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(Jobs, AFullQueueIsAnError) {
  const auto worker = make_worker(0);
  Gate gate;
  Jobs jobs("jobs");
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
  Jobs jobs("jobs");
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

Task<> run_many(Jobs& jobs, Worker& worker, int& resumed) {
  for (int i = 0; i < 200; ++i) {
    Record job;
    EXPECT_TRUE(co_await jobs.run(worker, job));
    ++resumed;
  }
}

TEST(Jobs, SeveralWorkersShareThem) {
  const auto here = make_worker(0);
  const auto there = make_worker(1);
  Jobs jobs("jobs");
  const auto use = [&](Worker& worker) {
    Scope scope;
    int resumed = 0;
    for (int i = 0; i < 2; ++i) {
      scope.spawn(&run_many, std::ref(jobs), std::ref(worker), std::ref(resumed));
    }
    while (scope.running() != 0) worker.turn();
    EXPECT_EQ(resumed, 400);
  };
  std::thread other(use, std::ref(*there));
  use(*here);
  other.join();
}

}  // namespace
}  // namespace weir
