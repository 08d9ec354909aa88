#pragma once
// AccessLogWriter: the log thread. Takes the workers' records out of their rings, formats them and
// writes them. When a file does not take more (a pipe nobody reads), it says so, and the workers
// drop and count what is meant for it: a log blocks neither a worker nor another log.

#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/log_ring.h"
#include "proxy/snapshot.h"

namespace weir::app {

class AccessLogWriter {
 public:
  AccessLogWriter() = default;
  AccessLogWriter(const AccessLogWriter&) = delete;
  ~AccessLogWriter() { stop(); }

  // Before start(): opens the file that the listener's lines go to, and tells the listener. The
  // error is a sentence.
  std::expected<void, std::string> open(proxy::Listener& listener);
  // Before start(): a ring for one worker.
  LogRing& add_ring();

  void start();
  // Writes what is there, as far as it can be written within a second, and ends the thread. The
  // workers have stopped.
  void stop();

 private:
  struct File {
    std::string path;
    proxy::AccessLogFormat format = proxy::AccessLogFormat::combined;
    Fd fd;
    bool is_regular = false;
    std::unique_ptr<std::atomic<bool>> full;
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
