#pragma once
// AccessLogWriter: the log thread. Takes the workers' records out of their rings, formats them and
// writes them. When a file does not take more (a pipe nobody reads), it stops taking records, the
// rings fill, and the workers count what they drop: a log never blocks a worker.

#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/log_ring.h"
#include "proxy/listener_settings.h"

namespace weir::app {

class AccessLogWriter {
 public:
  AccessLogWriter() = default;
  AccessLogWriter(const AccessLogWriter&) = delete;
  ~AccessLogWriter() { stop(); }

  // Before start(): the number of the file that records of these settings go to. The error is a
  // sentence.
  std::expected<std::uint32_t, std::string> open(const proxy::AccessLogSettings& settings);
  // Before start(): a ring for one worker.
  LogRing& add_ring();

  void start();
  // Writes what is there, as far as it can be written within a second, and ends the thread. The
  // workers have stopped.
  void stop();

 private:
  struct File {
    std::string path;
    proxy::AccessLogFormat format;
    Fd fd;
    bool is_regular;
    std::string pending;  // formatted and not written yet
  };

  void run();
  bool take_records();
  bool write_pending(File& file);

  std::vector<File> files_;
  std::vector<std::unique_ptr<LogRing>> rings_;
  std::thread thread_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace weir::app
