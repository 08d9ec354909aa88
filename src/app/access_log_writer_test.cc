#include "app/access_log_writer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats/access_log.h"

namespace weir::app {
namespace {

using proxy::AccessLogFile;
using Format = proxy::LogFormat::Kind;
using File = std::shared_ptr<const AccessLogFile>;
using Lines = std::vector<std::string>;

// As a worker does it, but it waits for room.
void log(LogRing& ring, const AccessLogFile& file, std::string_view target) {
  stats::AccessRecord record;
  record.method = "GET";
  record.target = target;
  std::span<char> room;
  while ((room = ring.try_reserve(sizeof file.index + stats::kAccessRecordBytesMax)).empty()) {
    std::this_thread::yield();
  }
  std::memcpy(room.data(), &file.index, sizeof file.index);
  ring.commit(sizeof file.index + stats::encode(record, room.subspan(sizeof file.index)));
}

template <class Condition>
[[nodiscard]] bool wait_until(Condition&& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// As a worker does it with a format of its own.
void log_line(LogRing& ring, const AccessLogFile& file, std::string_view line) {
  const std::span<char> room = ring.try_reserve(sizeof file.index + line.size());
  ASSERT_FALSE(room.empty());
  std::memcpy(room.data(), &file.index, sizeof file.index);
  std::ranges::copy(line, room.begin() + sizeof file.index);
  ring.commit(sizeof file.index + line.size());
}

// The targets of the requests in lines of the combined format.
Lines targets_in(std::istream& log) {
  Lines targets;
  for (std::string line; std::getline(log, line);) {
    const std::size_t start = line.find("\"GET ") + 5;
    targets.push_back(line.substr(start, line.find(' ', start) - start));
  }
  return targets;
}

class AccessLogWriterTest : public testing::Test {
 protected:
  AccessLogWriterTest() {
    std::string name = testing::TempDir() + "weir_log_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~AccessLogWriterTest() override {
    writer_.stop();
    std::filesystem::remove_all(folder_);
  }

  std::string path_of(std::string_view name) const { return folder_ + "/" + std::string(name); }
  File open(std::string_view name, Format format = Format::combined) {
    const auto file = writer_.open({.format = {.kind = format}, .path = path_of(name)});
    EXPECT_TRUE(file.has_value()) << file.error();
    return file.value_or(nullptr);
  }
  Lines targets_of(std::string_view name) const {
    std::ifstream file(path_of(name));
    return targets_in(file);
  }
  // Descriptors of this process for files in the folder.
  std::ptrdiff_t descriptors() const {
    std::ptrdiff_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const auto target = std::filesystem::read_symlink(entry.path(), gone);
      if (target.string().starts_with(folder_)) ++count;
    }
    return count;
  }

  std::string folder_;
  AccessLogWriter writer_;
};

TEST_F(AccessLogWriterTest, WritesEachLineToItsFileInItsFormat) {
  LogRing& ring = writer_.add_ring();
  const File a = open("a");
  const File b = open("b", Format::json);
  writer_.start();
  const File c = open("c");
  log(ring, *a, "/1");
  log(ring, *b, "/2");
  log(ring, *c, "/3");
  log(ring, *a, "/4");
  writer_.stop();
  EXPECT_EQ(targets_of("a"), (Lines{"/1", "/4"}));
  EXPECT_EQ(targets_of("c"), Lines{"/3"});
  std::ifstream json(path_of("b"));
  std::string line;
  ASSERT_TRUE(std::getline(json, line));
  EXPECT_TRUE(line.starts_with('{') && line.contains("/2")) << line;
}

TEST_F(AccessLogWriterTest, WritesALineThatAWorkerHasWrittenAsItIs) {
  LogRing& ring = writer_.add_ring();
  const File a = open("a", Format::text);
  writer_.start();
  log_line(ring, *a, "one \\x0A line");
  log_line(ring, *a, "another");
  writer_.stop();
  std::ifstream file(path_of("a"));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(text, "one \\x0A line\nanother\n");
}

TEST_F(AccessLogWriterTest, OnePathAndFormatIsOneFileWhileSomebodyHoldsIt) {
  const File a = open("a");
  EXPECT_EQ(open("a"), a);
  EXPECT_NE(open("a", Format::json), a);
  EXPECT_NE(open("b"), a);
}

TEST_F(AccessLogWriterTest, OffIsNoFile) {
  EXPECT_EQ(open("a", Format::off), nullptr);
  EXPECT_FALSE(std::filesystem::exists(path_of("a")));
}

TEST_F(AccessLogWriterTest, SaysWhichFileCannotBeOpenedAndWhy) {
  const auto file = writer_.open({.path = path_of("none/a")});
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error(),
            "cannot write the access log " + path_of("none/a") + ": No such file or directory");
}

TEST_F(AccessLogWriterTest, ClosesAFileThatNobodyHoldsWhenItsLinesAreWritten) {
  LogRing& ring = writer_.add_ring();
  const File kept = open("kept");
  File released = open("released");
  for (int i = 0; i < 2000; ++i) log(ring, *released, "/" + std::to_string(i));
  released.reset();
  EXPECT_EQ(descriptors(), 2);
  writer_.start();
  ASSERT_TRUE(wait_until([this] { return descriptors() == 1; }));
  EXPECT_EQ(targets_of("released").size(), 2000u);
}

TEST_F(AccessLogWriterTest, ClosesAFileThoughAWorkerNeverStopsLoggingToAnother) {
  LogRing& ring = writer_.add_ring();
  const File kept = open("kept");
  File released = open("released");
  log(ring, *released, "/1");
  std::atomic<bool> stopping = false;
  std::thread worker([&] {
    while (!stopping) log(ring, *kept, "/2");
  });
  writer_.start();
  released.reset();
  EXPECT_TRUE(wait_until([this] { return descriptors() == 1; }));
  stopping = true;
  worker.join();
  EXPECT_EQ(targets_of("released"), Lines{"/1"});
}

TEST_F(AccessLogWriterTest, TheNumberOfAClosedFileServesAnother) {
  LogRing& ring = writer_.add_ring();
  File first = open("first");
  const std::uint32_t index = first->index;
  log(ring, *first, "/1");
  writer_.start();
  first.reset();
  ASSERT_TRUE(wait_until([this] { return descriptors() == 0; }));
  const File second = open("second");
  EXPECT_EQ(second->index, index);
  log(ring, *second, "/2");
  writer_.stop();
  EXPECT_EQ(targets_of("first"), Lines{"/1"});
  EXPECT_EQ(targets_of("second"), Lines{"/2"});
}

TEST_F(AccessLogWriterTest, ReopenContinuesInANewFileWhereTheOldOneWasMovedAway) {
  LogRing& ring = writer_.add_ring();
  const File file = open("a");
  writer_.start();
  log(ring, *file, "/1");
  ASSERT_TRUE(wait_until([this] { return targets_of("a") == Lines{"/1"}; }));
  std::filesystem::rename(path_of("a"), path_of("a.1"));
  EXPECT_EQ(writer_.reopen(), Lines());
  log(ring, *file, "/2");
  writer_.stop();
  EXPECT_EQ(targets_of("a.1"), Lines{"/1"});
  EXPECT_EQ(targets_of("a"), Lines{"/2"});
  EXPECT_EQ(descriptors(), 1);
}

TEST_F(AccessLogWriterTest, WhatCannotBeReopenedStaysAsItIs) {
  LogRing& ring = writer_.add_ring();
  std::filesystem::create_directory(path_of("old"));
  const File lost = open("old/a");
  const File fine = open("b");
  std::filesystem::rename(path_of("old"), path_of("new"));
  EXPECT_EQ(writer_.reopen(), Lines{"cannot write the access log " + path_of("old/a") +
                                    ": No such file or directory"});
  writer_.start();
  log(ring, *lost, "/1");
  log(ring, *fine, "/2");
  writer_.stop();
  EXPECT_EQ(targets_of("new/a"), Lines{"/1"});
  EXPECT_EQ(targets_of("b"), Lines{"/2"});
}

TEST_F(AccessLogWriterTest, APipeThatNobodyReadsFillsUpAloneAndStaysOpenUntilItIsRead) {
  constexpr int kLines = 4000;
  ASSERT_EQ(::mkfifo(path_of("pipe").c_str(), 0600), 0);
  LogRing& ring = writer_.add_ring();
  File pipe = open("pipe");
  const File other = open("other");
  writer_.start();
  const std::string target = "/" + std::string(500, 'x');
  for (int i = 0; i < kLines; ++i) log(ring, *pipe, target);
  ASSERT_TRUE(wait_until([&pipe] { return pipe->full.load(); }));
  log(ring, *other, "/1");
  ASSERT_TRUE(wait_until([this] { return targets_of("other") == Lines{"/1"}; }));
  EXPECT_FALSE(other->full.load());
  pipe.reset();
  std::ifstream reader(path_of("pipe"));
  // The end comes when the writer closes its side.
  EXPECT_EQ(targets_in(reader), Lines(kLines, target));
}

// A disk that is full after `kRoom` bytes of each file: the second line is cut.
class FullDisk : public AccessLogWriterTest {
 protected:
  static constexpr std::uintmax_t kRoom = 300;

  FullDisk() {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &unlimited_);
  }
  ~FullDisk() override { make_room(); }

  void fill(const File& file) {
    rlimit limit = unlimited_;
    limit.rlim_cur = kRoom;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    log(ring_, *file, "/1");
    log(ring_, *file, "/2");
    ASSERT_TRUE(wait_until([this] { return size_of("a") == kRoom; }));
    ASSERT_EQ(targets_of("a"), (Lines{"/1", "/2"}));
  }
  void make_room() { ::setrlimit(RLIMIT_FSIZE, &unlimited_); }
  std::uintmax_t size_of(std::string_view name) const {
    std::error_code none;
    return std::filesystem::file_size(path_of(name), none);
  }
  // Of a file all of whose lines but that one are whole.
  Lines targets_but_cut(std::string_view name, std::size_t cut) const {
    std::ifstream file(path_of(name));
    const std::string text(std::istreambuf_iterator<char>(file), {});
    EXPECT_TRUE(text.ends_with("reason=-\n")) << text;
    Lines targets;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_EQ(line.ends_with("reason=-"), targets.size() != cut) << text;
      EXPECT_EQ(line.find("\"GET "), line.rfind("\"GET ")) << text;
      std::istringstream one(line);
      targets.push_back(targets_in(one).front());
    }
    return targets;
  }

  LogRing& ring_ = writer_.add_ring();
  rlimit unlimited_{};
};

TEST_F(FullDisk, ALineThatWasCutIsWrittenAnewBelow) {
  const File file = open("a");
  writer_.start();
  fill(file);
  make_room();
  log(ring_, *file, "/3");
  writer_.stop();
  EXPECT_EQ(targets_but_cut("a", 1), (Lines{"/1", "/2", "/2", "/3"}));
}

TEST_F(FullDisk, ALineThatWasCutBeginsAnewInTheNextFile) {
  const File file = open("a");
  writer_.start();
  fill(file);
  std::filesystem::rename(path_of("a"), path_of("a.1"));
  EXPECT_EQ(writer_.reopen(), Lines());
  make_room();
  log(ring_, *file, "/3");
  writer_.stop();
  EXPECT_EQ(size_of("a.1"), kRoom);
  EXPECT_EQ(targets_but_cut("a", 9), (Lines{"/2", "/3"}));
}

TEST_F(FullDisk, ALineThatWasCutBeginsAnewInAFileThatWasEmptied) {
  const File file = open("a");
  writer_.start();
  fill(file);
  std::filesystem::resize_file(path_of("a"), 0);
  ASSERT_TRUE(wait_until([this] { return size_of("a") != 0; }));
  make_room();
  log(ring_, *file, "/3");
  writer_.stop();
  EXPECT_EQ(targets_but_cut("a", 9), (Lines{"/2", "/3"}));
}

TEST_F(FullDisk, WhatAnotherProcessLeftCutGetsItsEnd) {
  std::ofstream(path_of("a")) << "1.2.3.4 - - \"GET /0 HT";
  const File file = open("a");
  writer_.start();
  log(ring_, *file, "/1");
  writer_.stop();
  EXPECT_EQ(targets_but_cut("a", 0), (Lines{"/0", "/1"}));
}

// Workers log to whatever the last of many reloads gave them; the files' names recur, so that some
// are taken up again while they are about to be closed.
class Reloads : public AccessLogWriterTest {
 protected:
  static constexpr std::size_t kNames = 5;
  static constexpr std::size_t kWorkers = 2;

  struct Given {
    File file;
    std::size_t name = 0;
    int round = 0;
  };
  struct Worker {
    LogRing* ring = nullptr;
    std::mutex mutex;
    Given given;  // under the mutex
    std::atomic<int> round_seen = 0;
    std::array<int, kNames> lines{};
    std::thread thread;
  };

  static void log_until_told(Worker& worker, std::size_t number) {
    for (;;) {
      Given given;
      {
        const std::scoped_lock lock(worker.mutex);
        given = worker.given;
      }
      if (given.file == nullptr) return;
      for (int i = 0; i < 10; ++i) {
        log(*worker.ring, *given.file,
            "/" + std::to_string(given.name) + "/" + std::to_string(number) + "/" +
                std::to_string(worker.lines[given.name]++));
      }
      worker.round_seen = given.round;
      std::this_thread::yield();
    }
  }
  void give(const Given& given) {
    for (Worker& worker : workers_) {
      const std::scoped_lock lock(worker.mutex);
      worker.given = given;
    }
  }
  bool is_seen(int round) const {
    return std::ranges::all_of(
        workers_, [round](const Worker& worker) { return worker.round_seen == round; });
  }

  std::array<Worker, kWorkers> workers_;
};

TEST_F(Reloads, EveryLineReachesItsFileInOrderAndEveryFileIsClosed) {
  constexpr int kRounds = 3000;
  for (Worker& worker : workers_) worker.ring = &writer_.add_ring();
  writer_.start();
  give({open("0"), 0, 0});
  for (std::size_t i = 0; i < kWorkers; ++i) {
    workers_[i].thread = std::thread(log_until_told, std::ref(workers_[i]), i);
  }
  for (int round = 1; round <= kRounds; ++round) {
    // Now and then, time in which what was given up is closed.
    if (round % 100 == 0) EXPECT_TRUE(wait_until([this] { return descriptors() == 1; }));
    const std::size_t name = static_cast<std::size_t>(round * round) % kNames;
    give({open(std::to_string(name)), name, round});
    EXPECT_TRUE(wait_until([&] { return is_seen(round); }));
    if (round % 7 == 0) EXPECT_EQ(writer_.reopen(), Lines());
  }
  give({});
  for (Worker& worker : workers_) worker.thread.join();
  EXPECT_TRUE(wait_until([this] { return descriptors() == 0; }));

  for (std::size_t name = 0; name < kNames; ++name) {
    std::array<int, kWorkers> next{};
    for (const std::string& target : targets_of(std::to_string(name))) {
      const std::string start = "/" + std::to_string(name) + "/";
      ASSERT_TRUE(target.starts_with(start)) << target;
      const auto worker = static_cast<std::size_t>(target[start.size()] - '0');
      ASSERT_LT(worker, kWorkers);
      ASSERT_EQ(target, start + std::to_string(worker) + "/" + std::to_string(next[worker]++));
    }
    for (std::size_t i = 0; i < kWorkers; ++i) EXPECT_EQ(next[i], workers_[i].lines[name]);
  }
}

}  // namespace
}  // namespace weir::app
