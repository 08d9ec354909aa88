#include "proxy/http/stored_body.h"

#include <deque>
#include <gtest/gtest.h>
#include <optional>
#include <string>

#include "base/pattern_test_support.h"
#include "base/random.h"
#include "net/net_test_support.h"

namespace weir::proxy {
namespace {

using net::BodyEnd;
using net::BodyRead;
using net::BodyWrite;
using net::Waiter;
using net::test::TestWorker;

// Runs jobs when the test says so.
class ManualJobs final : public JobQueue {
 public:
  void run_one() {
    Job& job = *waiting_.front();
    waiting_.pop_front();
    run_and_post(job);
  }
  void run_all() {
    while (!waiting_.empty()) run_one();
  }
  bool is_empty() const { return waiting_.empty(); }
  bool is_full = false;

 private:
  Error enqueue(Worker&, Job& job) noexcept override {
    if (is_full) return make_error(ErrorKind::queue_full, Side::weir);
    waiting_.push_back(&job);
    return {};
  }
  std::deque<Job*> waiting_;
};

struct Note : Waiter {
  Note() : Waiter([](Waiter& self) noexcept { ++static_cast<Note&>(self).calls; }) {}
  int calls = 0;
};

class StoredBodyTest : public testing::Test {
 protected:
  ~StoredBodyTest() override {
    body_.reset();
    finish_jobs();
    EXPECT_EQ(files_.live(), 0u);
    arena_.release();
    EXPECT_EQ(worker_.buffer_bytes(), 0u);
    if (store_.space.folder) EXPECT_EQ(store_.space.folder->reserved(), 0u);
  }

  StoredBody& make(Keep keep, std::uint32_t memory, std::uint64_t disk,
                   const std::string& folder = "/tmp", std::uint64_t total = 1 << 20) {
    store_ = {.memory = memory, .disk = disk, .space = {DiskFolder::at(folder), total}};
    return body_.emplace(files_, arena_, store_, keep);
  }
  void finish_jobs() {
    do {
      jobs_.run_all();
      worker_.turn_a_little();
    } while (!jobs_.is_empty());
  }
  // Writes all of it, with the disk's help, while nobody reads.
  void write(std::string_view data, BodyEnd end) {
    for (;;) {
      const BodyWrite written = body_->try_write_body(data, end);
      ASSERT_NE(written.status, BodyWrite::Status::failed);
      data.remove_prefix(written.taken);
      if (written.status == BodyWrite::Status::done) return;
      finish_jobs();
    }
  }
  // Reads up to `bytes` or the end; what it ended with is in last_.
  std::string read() {
    std::string all;
    for (;;) {
      last_ = body_->try_read_body({});
      if (last_.status == BodyRead::Status::failed) return all;
      if (last_.status == BodyRead::Status::would_block) {
        if (jobs_.is_empty()) return all;
        finish_jobs();
        continue;
      }
      all += last_.data;
      if (last_.end == BodyEnd::last) return all;
    }
  }

  TestWorker worker_;
  ManualJobs jobs_;
  stats::WorkerCells cells_;
  BodyFiles files_{*worker_, jobs_, cells_};
  Arena arena_{worker_->buffers()};
  BodyStore store_;
  std::optional<StoredBody> body_;
  BodyRead last_;
};

TEST_F(StoredBodyTest, WhatFitsStaysInMemory) {
  make(Keep::until_read, 64, 1000);
  write("small", BodyEnd::last);
  EXPECT_EQ(read(), "small");
  EXPECT_EQ(last_.end, BodyEnd::last);
  EXPECT_EQ(cells_.body_files.read(), 0u);
}

TEST_F(StoredBodyTest, WhatDoesNotFitGoesToDiskAndComesBackInOrder) {
  make(Keep::until_read, 100, 100'000);
  const std::string sent = pattern(5'000);
  write(sent, BodyEnd::last);
  EXPECT_EQ(read(), sent);
  EXPECT_EQ(last_.end, BodyEnd::last);
  EXPECT_EQ(cells_.body_files.read(), 1u);
  EXPECT_EQ(cells_.body_file_bytes_written.read(), 4'900u);
}

// Any sizes, any order of reading, writing and the disk's work: the same bytes come out.
TEST_F(StoredBodyTest, ReadsAreWritesInAnyInterleaving) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    make(Keep::until_read, random.below(200), random.below(4) == 0 ? 0 : 1 + random.below(400));
    if (store_.memory == 0 && store_.disk == 0) continue;
    const std::string sent = pattern(random.below(5'000));
    std::size_t written = 0;
    bool is_ended = false;
    std::string got;
    for (;;) {
      const auto what = random.below(3);
      if (what == 0 && !is_ended) {
        const std::string_view next = std::string_view(sent).substr(written, 1 + random.below(300));
        const auto end = written + next.size() == sent.size() ? BodyEnd::last : BodyEnd::more;
        const BodyWrite result = body_->try_write_body(next, end);
        ASSERT_NE(result.status, BodyWrite::Status::failed) << "seed " << seed;
        written += result.taken;
        is_ended = result.status == BodyWrite::Status::done && end == BodyEnd::last;
      } else if (what == 1) {
        const BodyRead result = body_->try_read_body({});
        ASSERT_NE(result.status, BodyRead::Status::failed) << "seed " << seed;
        got += result.data;
        const bool is_data = result.status == BodyRead::Status::data;
        if (is_data && result.end == BodyEnd::last) break;
      } else if (!jobs_.is_empty()) {
        jobs_.run_one();
        worker_.turn_a_little();
      }
    }
    ASSERT_EQ(got, sent) << "seed " << seed;
    body_.reset();
    finish_jobs();
  }
}

TEST_F(StoredBodyTest, AKeptBodyIsReadAgainFromItsStart) {
  make(Keep::always, 100, 10'000);
  const std::string sent = pattern(3'000);
  write(sent, BodyEnd::last);
  finish_jobs();
  ASSERT_TRUE(body_->is_rewindable());
  EXPECT_EQ(read(), sent);
  body_->rewind();
  EXPECT_EQ(read(), sent);
  // In the middle of it, with a read on its way.
  body_->rewind();
  EXPECT_EQ(body_->try_read_body({}).data, sent.substr(0, 100));
  EXPECT_EQ(body_->try_read_body({}).status, BodyRead::Status::would_block);
  body_->rewind();
  EXPECT_EQ(read(), sent);
}

TEST_F(StoredBodyTest, ARewindDropsWhatIsBeingReadFromElsewhere) {
  make(Keep::always, 0, 600'000);
  const std::string sent = pattern(400'000);
  write(sent, BodyEnd::last);
  finish_jobs();
  EXPECT_EQ(body_->try_read_body({}).status, BodyRead::Status::would_block);
  finish_jobs();
  EXPECT_EQ(body_->try_read_body({}).data.size(), BodyFile::kAccessBytesMax);
  EXPECT_EQ(body_->try_read_body({}).status, BodyRead::Status::would_block);
  body_->rewind();
  EXPECT_EQ(read(), sent);
}

TEST_F(StoredBodyTest, AKeptBodyThatIsTooLargeIsAnError) {
  make(Keep::always, 100, 100);
  EXPECT_EQ(body_->try_write_body(pattern(150), BodyEnd::more).taken, 150u);
  finish_jobs();
  const BodyWrite written = body_->try_write_body(pattern(51), BodyEnd::last);
  EXPECT_EQ(written.taken, 50u);
  finish_jobs();
  EXPECT_EQ(body_->try_write_body("x", BodyEnd::last).error,
            make_error(ErrorKind::body_too_large, Side::client));
}

TEST_F(StoredBodyTest, AFullStoreWaitsForItsReader) {
  make(Keep::until_read, 10, 0);
  EXPECT_EQ(body_->try_write_body("0123456789ab", BodyEnd::last).taken, 10u);
  Note room;
  ASSERT_EQ(body_->start_body_writable(kNever, room), Started::waiting);
  worker_.turn_a_little();
  EXPECT_EQ(room.calls, 0);
  EXPECT_EQ(body_->try_read_body({}).data, "0123456789");
  worker_.turn_a_little();
  EXPECT_EQ(room.calls, 1);
  EXPECT_EQ(body_->try_write_body("ab", BodyEnd::last).status, BodyWrite::Status::done);
  EXPECT_EQ(read(), "ab");
}

TEST_F(StoredBodyTest, AReaderIsToldWhenThereIsSomething) {
  make(Keep::until_read, 10, 0);
  EXPECT_EQ(body_->try_read_body({}).status, BodyRead::Status::would_block);
  Note data;
  ASSERT_EQ(body_->start_body_readable(kNever, data), Started::waiting);
  write("x", BodyEnd::more);
  worker_.turn_a_little();
  EXPECT_EQ(data.calls, 1);
  ASSERT_EQ(body_->start_body_readable(kNever, data), Started::waiting);
  body_->cancel_body_readable();
  EXPECT_EQ(data.calls, 2);
  EXPECT_EQ(data.error.kind, ErrorKind::canceled);
}

TEST_F(StoredBodyTest, WhatADiskRefusedIsStillRead) {
  make(Keep::until_read, 10, 1000, "/nowhere");
  EXPECT_EQ(body_->try_write_body("0123456789abc", BodyEnd::more).taken, 13u);
  finish_jobs();
  EXPECT_EQ(cells_.body_file_failures.read(), 1u);
  // No disk from now on: one has to wait.
  EXPECT_EQ(body_->try_write_body("def", BodyEnd::last).status, BodyWrite::Status::would_block);
  EXPECT_EQ(body_->try_read_body({}).data, "0123456789");
  EXPECT_EQ(body_->try_read_body({}).data, "abc");
  EXPECT_EQ(body_->try_write_body("def", BodyEnd::last).status, BodyWrite::Status::done);
  EXPECT_EQ(read(), "def");
}

TEST_F(StoredBodyTest, AKeptBodyThatADiskRefusedInPartIsAnError) {
  make(Keep::always, 10, 1000, "/nowhere");
  EXPECT_EQ(body_->try_write_body("0123456789abc", BodyEnd::more).taken, 13u);
  finish_jobs();
  EXPECT_EQ(body_->try_write_body("d", BodyEnd::last).error.kind, ErrorKind::body_storage);
}

TEST_F(StoredBodyTest, WithoutSpaceOnDiskMemoryAloneIsUsed) {
  make(Keep::until_read, 10, 1000, "/tmp", 5);
  EXPECT_EQ(body_->try_write_body("0123456789abcdef", BodyEnd::last).taken, 10u);
  EXPECT_EQ(body_->try_read_body({}).data, "0123456789");
  EXPECT_EQ(body_->try_write_body("abcdef", BodyEnd::last).status, BodyWrite::Status::done);
  EXPECT_EQ(read(), "abcdef");
}

TEST_F(StoredBodyTest, AFullQueueOfJobsIsLikeAFullDisk) {
  make(Keep::always, 4, 1000);
  jobs_.is_full = true;
  EXPECT_EQ(body_->try_write_body("01234", BodyEnd::last).error.kind, ErrorKind::body_storage);
}

TEST_F(StoredBodyTest, WhenItStopsWhatWasWrittenIsReadFirst) {
  make(Keep::until_read, 10, 1000);
  write("0123456789abc", BodyEnd::more);
  const Error reason = make_error(ErrorKind::server_closed, Side::server);
  body_->stop(reason);
  EXPECT_EQ(body_->try_write_body("d", BodyEnd::last).error, reason);
  EXPECT_EQ(read(), "0123456789abc");
  EXPECT_EQ(last_.error, reason);
}

TEST_F(StoredBodyTest, TrailersOutliveTheirSource) {
  make(Keep::until_read, 10, 0);
  {
    std::string name = "X-Sum";
    std::string value = "42";
    http::Field field{.name = name, .value = value};
    http::FieldList fields({&field, 1});
    ASSERT_TRUE(fields.add(field));
    body_->set_trailers(fields);
    name = value = "gone!";
  }
  ASSERT_EQ(body_->trailers().size(), 1u);
  EXPECT_EQ(body_->trailers().begin()->name, "X-Sum");
  EXPECT_EQ(body_->trailers().begin()->value, "42");
}

TEST_F(StoredBodyTest, DestroyedWithTheDiskAtWorkItsFileGoesLater) {
  make(Keep::until_read, 0, 1000);
  EXPECT_EQ(body_->try_write_body("on its way", BodyEnd::more).taken, 10u);
  body_.reset();
  EXPECT_EQ(files_.live(), 1u);
  finish_jobs();
  EXPECT_EQ(files_.live(), 0u);
}

}  // namespace
}  // namespace weir::proxy
