#pragma once
// AccessLogWriter: the log thread. Takes the workers' records out of their rings, formats them and
// writes them. When a file does not take more (a pipe nobody reads), it says so, and the workers
// drop and count what is meant for it: a log blocks neither a worker nor another log.
//
// Files come and go with the configuration. A record in a ring names its file by a number, so a
// file that nobody holds is closed, and its number used again, only after all that was in the rings
// then has been taken.

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/log_ring.h"
#include "proxy/access_log_file.h"
#include "proxy/listener_settings.h"
#include "proxy/log_format.h"

namespace weir::app {

class AccessLogWriter {
 public:
  AccessLogWriter() = default;
  AccessLogWriter(const AccessLogWriter&) = delete;
  ~AccessLogWriter() { stop(); }

  // open() and reopen() may be called before and after start(), by one thread at a time.
  //
  // The file for these settings, null if they want none; the same one for the same path and format
  // as long as it is open. Whoever writes records for it holds it. The error is a sentence.
  std::expected<std::shared_ptr<const proxy::AccessLogFile>, std::string> open(
      const proxy::AccessLogSettings& settings);
  // Opens every file again by its path: what is logged from now on goes to a new file if the old
  // one was moved away. A file that cannot be opened stays as it is; gives a sentence for each.
  std::vector<std::string> reopen();

  // Before start(): a ring for one worker.
  LogRing& add_ring();

  void start();
  // Writes what is there, as far as it can be written within a second, and ends the thread. The
  // workers have stopped.
  void stop();

 private:
  static constexpr std::size_t kRingBytes = std::size_t{1} << 20;

  struct Output {
    Fd fd;
    bool is_regular = false;
    // A regular file: as far as is known, its last line may lack its end: a disk was full.
    bool may_end_within_line = true;
  };
  struct File {
    const std::string path;
    const proxy::LogFormat::Kind format;
    const std::shared_ptr<proxy::AccessLogFile> handle;

    // Under the mutex.
    Output next_output;           // replaces `output`, if open
    std::uint64_t unheld_in = 0;  // the turn in which nobody was seen to hold it; 0: held

    // The log thread's own.
    Output output;
    std::string pending;  // formatted and not written yet; lines of a regular file are whole
  };
  struct Ring {
    LogRing records{kRingBytes};
    // All that was there before this turn has been taken: it was seen empty then, or as much as
    // it holds has been taken since.
    std::uint64_t cleared_in = 0;
    std::uint64_t lap_in = 0;
    std::size_t lap_bytes = 0;  // taken since the end of turn lap_in
  };

  static std::expected<Output, std::string> open_output(const std::string& path);
  void run();
  bool take_records();
  bool take_records(Ring& ring);
  File& file_of(std::uint32_t index);
  void update_files();
  void close_if_unheld(std::unique_ptr<File>& file);
  static bool write_pending(File& file);
  // Bytes written; of lines, those of whole ones.
  static std::size_t write_lines(Output& output, std::string_view lines);
  static std::size_t write_some(const Output& output, std::string_view bytes);

  // By index, null where none is open. The log thread alone takes one away.
  std::mutex mutex_;
  std::vector<std::unique_ptr<File>> files_;

  // The log thread's own. Pointers into files_ as they were at the last look.
  std::vector<File*> known_files_;
  std::vector<std::unique_ptr<Ring>> rings_;
  std::uint64_t turn_ = 0;

  std::thread thread_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace weir::app
