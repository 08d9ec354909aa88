#pragma once
// StoredBody: a body between the end that gives it and the one that takes it, so that neither waits
// for the other: in memory first, then in a file. It gives the bytes in the order they came.

#include <memory>

#include "base/arena.h"
#include "net/http/http_stream.h"
#include "proxy/body_file.h"

namespace weir::proxy {

// until_read: what was read makes room. always: the body stays, to be read again, and one that has
// no room is too large.
enum class Keep : std::uint8_t { until_read, always };

// How much of one body is stored, and where.
struct BodyStore {
  std::uint32_t memory = 0;  // 0 to BufferPool::kLargest
  std::uint64_t disk = 0;    // 0: memory alone
  DiskSpace space;
};

// Its waits are for one reader and one writer, of whom each has just been told to wait. Their
// deadlines are not kept: whoever fills or empties it at the other end has one of its own. They are
// called back from the worker's next turn. What is read lives until the next call of either. One
// thread.
class StoredBody final : public net::BodySource,
                         public net::BodySink,
                         private BodyFile::Owner,
                         private Deferred {
 public:
  // store must outlive it; the arena must have what is read.
  StoredBody(BodyFiles& files, Arena& arena, const BodyStore& store, Keep keep) noexcept;
  StoredBody(const StoredBody&) = delete;
  ~StoredBody() override;

  // Errors, when there will never be room: body_too_large (Keep::always), body_storage,
  // buffers_exhausted.
  net::BodyWrite try_write_body(std::string_view data, net::BodyEnd end) noexcept override;
  // Copied.
  void set_trailers(const http::FieldList& fields) noexcept override;
  Started start_body_writable(TimePoint deadline, net::Waiter& waiter) noexcept override;
  // One end is gone: writing ends with the reason at once, reading behind what has been written.
  void stop(Error reason) noexcept;

  net::BodyRead try_read_body(std::span<char> into) noexcept override;
  Started start_body_readable(TimePoint deadline, net::Waiter& waiter) noexcept override;
  void cancel_body_readable() noexcept override;
  const http::FieldList& trailers() const noexcept override { return trailers_; }
  bool is_rewindable() const noexcept override { return keep_ == Keep::always && is_complete_; }
  void rewind() noexcept override;

  // Whether the last byte has been written.
  bool is_complete() const noexcept { return is_complete_; }
  // Bytes that have been written.
  std::uint64_t size() const noexcept { return size_; }

 private:
  // Of what was written: unread, or on its way into the file.
  bool is_file_used() const noexcept { return file_read_ != file_end_; }
  bool is_memory_used() const noexcept { return memory_read_ != memory_end_; }
  std::size_t put_in_memory(std::string_view data) noexcept;
  Result<std::size_t> put_in_file(std::string_view data) noexcept;
  bool may_have_room_later() const noexcept;
  void free_given() noexcept;
  net::BodyRead give(std::string_view data) noexcept;
  Error start_fetch() noexcept;
  void on_written(int os_error) noexcept override;
  void on_read(int os_error) noexcept override;
  void wake_soon() noexcept;
  void wake() noexcept;

  BodyFiles& files_;
  Arena& arena_;
  const BodyStore& store_;
  const Keep keep_;
  Buffer memory_;
  std::uint32_t memory_read_ = 0;
  std::uint32_t memory_end_ = 0;
  // Positions in the part of the body that is in the file, behind what is in memory. With
  // Keep::until_read the file's bytes are used in turn: a position's place is its remainder.
  BodyFile* file_ = nullptr;
  std::uint64_t file_begin_ = 0;    // what lies before may be overwritten
  std::uint64_t file_read_ = 0;     // what lies before has been given
  std::uint64_t file_written_ = 0;  // what lies before is in the file
  std::uint64_t file_end_ = 0;      // what lies before was taken from the writer
  std::uint64_t fetching_ = 0;      // where the file's last read began
  bool has_disk_failed_ = false;
  bool has_fetched_ = false;  // the file's last read has not been given yet
  http::FieldList trailers_;
  std::uint64_t size_ = 0;
  bool is_complete_ = false;
  Error error_;
  net::Waiter* reader_ = nullptr;
  net::Waiter* writer_ = nullptr;
};

}  // namespace weir::proxy
