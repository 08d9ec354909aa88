#include "app/access_log_writer.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/assert.h"
#include "stats/access_log.h"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

constexpr int kRecordsPerTurn = 1000;  // of one ring
constexpr std::size_t kPendingBytesMax = std::size_t{1} << 20;
// Between two looks at the rings: short after there was something, longer while nothing comes.
constexpr auto kPauseMin = 2ms;
constexpr auto kPauseMax = 50ms;
constexpr auto kLastWordsMax = 1s;

Fd open_file(const std::string& path) {
  if (path == "stdout") return Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  if (path == "stderr") return Fd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  constexpr int kFlags = O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
  Fd fd(::open(path.c_str(), O_WRONLY | kFlags, 0640));
  // A pipe that nobody reads yet: open for both, the write end cannot be had alone.
  if (!fd.is_open() && errno == ENXIO) fd = Fd(::open(path.c_str(), O_RDWR | kFlags, 0640));
  return fd;
}

// The descriptor itself may be there to write only, and its path may name another file by now.
bool ends_within_line(int file) {
  const Fd reader(
      ::open(fmt::format("/proc/self/fd/{}", file).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (::fstat(reader.get(), &status) != 0 || status.st_size == 0) return false;
  char last = '\n';
  return ::pread(reader.get(), &last, 1, status.st_size - 1) == 1 && last != '\n';
}

void append_line(proxy::LogFormat::Kind format, std::span<const char> record, std::string& out) {
  switch (format) {
    case proxy::LogFormat::Kind::combined:
      return stats::format_combined(stats::decode(record), out);
    case proxy::LogFormat::Kind::json:
      return stats::format_json(stats::decode(record), out);
    case proxy::LogFormat::Kind::text:
      out.append(record.data(), record.size());
      out += '\n';
      return;
    case proxy::LogFormat::Kind::off:
      return;
  }
}

}  // namespace

std::expected<AccessLogWriter::Output, std::string> AccessLogWriter::open_output(
    const std::string& path) {
  Output output{.fd = open_file(path)};
  if (!output.fd.is_open()) {
    return std::unexpected("cannot write the access log " + path + ": " + std::strerror(errno));
  }
  struct stat status{};
  ::fstat(output.fd.get(), &status);
  output.is_regular = S_ISREG(status.st_mode);
  return output;
}

std::expected<std::shared_ptr<const proxy::AccessLogFile>, std::string> AccessLogWriter::open(
    const proxy::AccessLogSettings& settings) {
  const proxy::LogFormat::Kind format = settings.format.kind;
  if (format == proxy::LogFormat::Kind::off) return nullptr;
  const auto is_wanted = [&](const std::unique_ptr<File>& file) {
    return file != nullptr && file->path == *settings.path && file->format == format;
  };
  {
    const std::scoped_lock lock(mutex_);
    const auto known = std::ranges::find_if(files_, is_wanted);
    if (known != files_.end()) {
      (*known)->unheld_in = 0;
      return (*known)->handle;
    }
  }
  // Without the lock: a slow disk shall not hold up the other logs.
  auto output = open_output(*settings.path);
  if (!output) return std::unexpected(output.error());
  const std::scoped_lock lock(mutex_);
  auto place = std::find(files_.begin(), files_.end(), nullptr);
  if (place == files_.end()) place = files_.emplace(place);
  const auto index = static_cast<std::uint32_t>(place - files_.begin());
  *place =
      std::make_unique<File>(*settings.path, format, std::make_shared<proxy::AccessLogFile>(index));
  (*place)->next_output = std::move(*output);
  return (*place)->handle;
}

std::vector<std::string> AccessLogWriter::reopen() {
  std::vector<std::string> paths;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& file : files_) paths.push_back(file == nullptr ? "" : file->path);
  }
  std::vector<std::string> problems;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (paths[i].empty()) continue;
    auto output = open_output(paths[i]);
    if (!output) {
      problems.push_back(output.error());
      continue;
    }
    const std::scoped_lock lock(mutex_);
    // Closed in the meantime, perhaps, but not another one: only this thread opens any.
    if (files_[i] != nullptr) files_[i]->next_output = std::move(*output);
  }
  return problems;
}

LogRing& AccessLogWriter::add_ring() {
  return rings_.emplace_back(std::make_unique<Ring>())->records;
}

void AccessLogWriter::start() {
  thread_ = std::thread([this] { run(); });
}

void AccessLogWriter::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_relaxed);
  thread_.join();
}

void AccessLogWriter::run() {
  std::chrono::steady_clock::time_point give_up_at{};
  auto pause = kPauseMin;
  for (;;) {
    const bool is_last = stopping_.load(std::memory_order_relaxed);
    const bool took = take_records();
    update_files();
    bool all_written = true;
    for (File* file : known_files_) {
      if (file != nullptr) all_written = write_pending(*file) && all_written;
    }
    if (took) {
      pause = kPauseMin;
      continue;
    }
    if (is_last) {
      const auto now = std::chrono::steady_clock::now();
      if (give_up_at == std::chrono::steady_clock::time_point{}) give_up_at = now + kLastWordsMax;
      if (all_written || now > give_up_at) return;
    }
    // Nobody wakes this thread: a wake-up would cost a worker a system call for each line.
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
    pause = std::min(pause * 2, kPauseMax);
  }
}

// False: there was nothing. What a full file gets here was in the rings when it filled up, so that
// is bounded.
bool AccessLogWriter::take_records() {
  ++turn_;
  bool took = false;
  for (auto& ring : rings_) took = take_records(*ring) || took;
  return took;
}

bool AccessLogWriter::take_records(Ring& ring) {
  for (int taken = 0; taken < kRecordsPerTurn; ++taken) {
    const std::span<const char> bytes = ring.records.front();
    if (bytes.empty()) {
      ring.cleared_in = turn_;
      ring.lap_in = turn_;
      ring.lap_bytes = 0;
      return taken > 0;
    }
    std::uint32_t index;
    std::memcpy(&index, bytes.data(), sizeof index);
    File& file = file_of(index);
    append_line(file.format, bytes.subspan(sizeof index), file.pending);
    ring.lap_bytes += bytes.size();
    ring.records.pop();
  }
  if (ring.lap_bytes >= kRingBytes) {
    ring.cleared_in = std::exchange(ring.lap_in, turn_);
    ring.lap_bytes = 0;
  }
  return true;
}

AccessLogWriter::File& AccessLogWriter::file_of(std::uint32_t index) {
  // It may have been opened since the last look.
  if (index >= known_files_.size() || known_files_[index] == nullptr) update_files();
  WEIR_ASSERT(known_files_[index] != nullptr);
  return *known_files_[index];
}

void AccessLogWriter::update_files() {
  const std::scoped_lock lock(mutex_);
  known_files_.resize(files_.size());
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (files_[i] != nullptr) close_if_unheld(files_[i]);
    known_files_[i] = files_[i].get();
    if (files_[i] == nullptr || !files_[i]->next_output.fd.is_open()) continue;
    files_[i]->output = std::exchange(files_[i]->next_output, {});
  }
}

void AccessLogWriter::close_if_unheld(std::unique_ptr<File>& file) {
  if (file->handle.use_count() > 1) return;
  // With the release of the last holder: the rings show what it had written by then.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (file->unheld_in == 0) {
    file->unheld_in = turn_;
    return;
  }
  const bool is_all_taken = std::ranges::all_of(
      rings_, [&file](const auto& ring) { return ring->cleared_in > file->unheld_in; });
  if (is_all_taken && file->pending.empty()) file.reset();
}

// Never blocks: a pipe or terminal that polls writable takes PIPE_BUF bytes.
std::size_t AccessLogWriter::write_some(const Output& output, std::string_view bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    std::size_t size = bytes.size() - written;
    if (!output.is_regular) {
      pollfd poll{.fd = output.fd.get(), .events = POLLOUT, .revents = 0};
      if (::poll(&poll, 1, 0) != 1 || (poll.revents & POLLOUT) == 0) break;
      size = std::min<std::size_t>(size, PIPE_BUF);
    }
    const ssize_t count = ::write(output.fd.get(), bytes.data() + written, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  return written;
}

// Before the rest of a line that was cut can be written, its file may be another one, or emptied:
// what there is of it gets its end, and it is written anew.
std::size_t AccessLogWriter::write_lines(Output& output, std::string_view lines) {
  if (lines.empty()) return 0;
  if (output.may_end_within_line && ends_within_line(output.fd.get()) &&
      write_some(output, "\n") == 0) {
    return 0;
  }
  const std::size_t written = write_some(output, lines);
  const std::size_t whole = lines.substr(0, written).rfind('\n') + 1;  // npos + 1 is 0
  output.may_end_within_line = whole != written;
  return whole;
}

// True: nothing is left.
bool AccessLogWriter::write_pending(File& file) {
  const std::size_t written = file.output.is_regular ? write_lines(file.output, file.pending)
                                                     : write_some(file.output, file.pending);
  file.pending.erase(0, written);
  file.handle->full.store(file.pending.size() >= kPendingBytesMax, std::memory_order_relaxed);
  return file.pending.empty();
}

}  // namespace weir::app
