#pragma once
// BodyFile: bytes of one body on disk, in a file without a name, which is gone with the process. It
// is read and written by the jobs that files have, never by a worker.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/buffer_pool.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/slab.h"
#include "runtime/jobs.h"
#include "stats/cells.h"

namespace weir::proxy {

// A folder for such files, and what all of them take there. Any thread.
class DiskFolder {
 public:
  explicit DiskFolder(std::string path) noexcept : path_(std::move(path)) {}
  // The one of that path, as long as anybody has it: what bodies took before a reload counts
  // after it. May allocate.
  static std::shared_ptr<DiskFolder> at(const std::string& path);

  const std::string& path() const noexcept { return path_; }
  // False: all together would take more than bytes_max.
  bool try_reserve(std::uint64_t bytes, std::uint64_t bytes_max) noexcept;
  void give_back(std::uint64_t bytes) noexcept {
    reserved_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  std::uint64_t reserved() const noexcept { return reserved_.load(std::memory_order_relaxed); }

 private:
  const std::string path_;
  std::atomic<std::uint64_t> reserved_{0};
};

struct DiskSpace {
  std::shared_ptr<DiskFolder> folder;
  std::uint64_t bytes_max = 0;  // of all files in the folder, for one more to be let in
};

// A file without a name; if it is not open, errno says why. Any thread that may wait for a disk.
Fd open_body_file(const char* folder) noexcept;

class BodyFiles;

// Made when a body first needs one, by BodyFiles; gone some time after retire(). One thread.
class BodyFile {
 public:
  // Most bytes that one access moves.
  static constexpr std::size_t kAccessBytesMax = std::size_t{128} << 10;

  class Owner {
   public:
    virtual void on_written(int os_error) noexcept = 0;
    virtual void on_read(int os_error) noexcept = 0;

   protected:
    ~Owner() = default;
  };

  BodyFile(BodyFiles& files, DiskSpace space, Owner& owner) noexcept;
  BodyFile(const BodyFile&) = delete;
  ~BodyFile();

  // At most one of each at a time; the owner is called back, later, if there was no error. `data`
  // is copied, and must not be empty or more than one access; what lies behind the end of the file
  // so far is taken from the space. Errors: buffers_exhausted; body_storage when the space or the
  // queue of jobs is full.
  Error start_write(std::string_view data, std::uint64_t offset) noexcept;
  Error start_read(std::size_t bytes, std::uint64_t offset) noexcept;
  bool is_writing() const noexcept { return write_.busy; }
  bool is_reading() const noexcept { return read_.busy; }

  // The bytes of a write that failed, until the next.
  std::string_view unwritten() const noexcept { return write_.data(); }
  // The last read's, until the next or free_read().
  std::string_view read() const noexcept { return read_.data(); }
  void free_read() noexcept { read_.buffer.release(); }

  // Calls nobody back any more.
  void retire() noexcept;

 private:
  enum class Kind : std::uint8_t { write, read, close };
  struct Access final : Job {
    Access(BodyFile& of, Kind what) noexcept : file(of), kind(what) {}
    std::string_view data() const noexcept { return {buffer.data(), bytes}; }
    void run() noexcept override;
    void done() noexcept override;
    int move() noexcept;

    BodyFile& file;
    const Kind kind;
    bool busy = false;
    Buffer buffer;
    std::size_t bytes = 0;
    std::uint64_t offset = 0;
    int os_error = 0;
  };

  Error start(Access& access, std::size_t bytes, std::uint64_t offset) noexcept;
  void on_done(Access& access) noexcept;

  BodyFiles& files_;
  DiskSpace space_;
  Owner* owner_;  // nullptr: retired
  Fd fd_;         // opened by the first write, which nothing else runs beside
  std::uint64_t reserved_ = 0;
  Access write_{*this, Kind::write};
  Access read_{*this, Kind::read};
  Access close_{*this, Kind::close};
};

// A worker's body files, and what they need. Outlives them.
class BodyFiles {
 public:
  BodyFiles(Worker& worker_of, JobQueue& jobs_of, stats::WorkerCells& cells_of) noexcept
      : worker(worker_of), jobs(jobs_of), cells(cells_of) {}

  Worker& worker;
  JobQueue& jobs;
  stats::WorkerCells& cells;

  BodyFile& make(DiskSpace space, BodyFile::Owner& owner) {
    return files_.make(*this, std::move(space), owner);
  }
  // That are not closed yet.
  std::size_t live() const noexcept { return files_.live(); }

 private:
  friend class BodyFile;
  Slab<BodyFile> files_;
};

}  // namespace weir::proxy
