#include "app/access_log_writer.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats/access_log.h"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kRingBytes = std::size_t{1} << 20;
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

}  // namespace

std::expected<void, std::string> AccessLogWriter::open(proxy::Listener& listener) {
  const proxy::AccessLogSettings& settings = listener.access_log;
  if (settings.format == proxy::AccessLogFormat::off) return {};
  auto file = std::ranges::find_if(files_, [&settings](const File& known) {
    return known.path == *settings.path && known.format == settings.format;
  });
  if (file == files_.end()) {
    Fd fd = open_file(*settings.path);
    if (!fd.is_open()) {
      return std::unexpected("cannot write the access log " + *settings.path + ": " +
                             std::strerror(errno));
    }
    struct stat status{};
    ::fstat(fd.get(), &status);
    File& opened = files_.emplace_back();
    opened.path = *settings.path;
    opened.format = settings.format;
    opened.fd = std::move(fd);
    opened.is_regular = S_ISREG(status.st_mode);
    opened.full = std::make_unique<std::atomic<bool>>(false);
    file = files_.end() - 1;
  }
  listener.access_log_index = static_cast<std::uint32_t>(file - files_.begin());
  listener.access_log_full = file->full.get();
  return {};
}

LogRing& AccessLogWriter::add_ring() {
  rings_.push_back(std::make_unique<LogRing>(kRingBytes));
  return *rings_.back();
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
    bool all_written = true;
    for (File& file : files_) all_written = write_pending(file) && all_written;
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
  bool took = false;
  for (auto& ring : rings_) {
    for (int i = 0; i < 1000; ++i) {
      const std::span<const char> bytes = ring->front();
      if (bytes.empty()) break;
      std::uint32_t index;
      std::memcpy(&index, bytes.data(), sizeof index);
      File& file = files_[index];
      const stats::AccessRecord record = stats::decode(bytes.subspan(sizeof index));
      if (file.format == proxy::AccessLogFormat::json) {
        stats::format_json(record, file.pending);
      } else {
        stats::format_combined(record, file.pending);
      }
      ring->pop();
      took = true;
    }
  }
  return took;
}

// True: nothing is left. Never blocks: a pipe or terminal that polls writable takes PIPE_BUF bytes.
bool AccessLogWriter::write_pending(File& file) {
  std::size_t written = 0;
  while (written < file.pending.size()) {
    std::size_t size = file.pending.size() - written;
    if (!file.is_regular) {
      pollfd poll{.fd = file.fd.get(), .events = POLLOUT, .revents = 0};
      if (::poll(&poll, 1, 0) != 1 || (poll.revents & POLLOUT) == 0) break;
      size = std::min<std::size_t>(size, PIPE_BUF);
    }
    const ssize_t count = ::write(file.fd.get(), file.pending.data() + written, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  file.pending.erase(0, written);
  file.full->store(file.pending.size() >= kPendingBytesMax, std::memory_order_relaxed);
  return file.pending.empty();
}

}  // namespace weir::app
