#pragma once
// A worker's pipes: what splice(2) moves bytes through from one socket to another without copying
// them. Bounded, and borrowed only while a long body is on its way. One thread.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/fd.h"

namespace weir {

class PipePool;

// Owner of one pipe; gives it back when destroyed. None until taken.
class Pipe {
 public:
  Pipe() = default;
  Pipe(Pipe&& other) noexcept { *this = std::move(other); }
  Pipe& operator=(Pipe&& other) noexcept {
    if (this != &other) {
      release();
      pool_ = std::exchange(other.pool_, nullptr);
      read_end_ = std::exchange(other.read_end_, -1);
      write_end_ = std::exchange(other.write_end_, -1);
      held_ = std::exchange(other.held_, 0);
    }
    return *this;
  }
  ~Pipe() { release(); }

  explicit operator bool() const noexcept { return pool_ != nullptr; }
  // Bytes that were put in and have not been taken out again.
  std::size_t held() const noexcept { return held_; }
  // What is held is lost.
  void release() noexcept;

  // For reactors only.
  int read_end() const noexcept { return read_end_; }
  int write_end() const noexcept { return write_end_; }
  void put(std::size_t bytes) noexcept { held_ += static_cast<std::uint32_t>(bytes); }
  void take_out(std::size_t bytes) noexcept {
    WEIR_ASSERT(bytes <= held_);
    held_ -= static_cast<std::uint32_t>(bytes);
  }

 private:
  friend class PipePool;
  Pipe(PipePool& pool, int read_end, int write_end) noexcept
      : pool_(&pool), read_end_(read_end), write_end_(write_end) {}
  PipePool* pool_ = nullptr;
  int read_end_ = -1;
  int write_end_ = -1;
  std::uint32_t held_ = 0;
};

class PipePool {
 public:
  // What a pipe is asked to hold. One that the kernel gives less than the least is not worth it:
  // a user who has many gets pipes of a page or two (pipe(7), pipe-user-pages-soft).
  static constexpr int kPipeBytes = 256 << 10;
  static constexpr int kPipeBytesMin = 64 << 10;
  // How many empty ones are kept: what a user's pipes may hold together is limited.
  static constexpr std::size_t kKeptMax = 16;

  PipePool() = default;
  PipePool(const PipePool&) = delete;
  ~PipePool() { WEIR_ASSERT(in_use_ == 0); }

  // Before the first take(). Without it there are none. May allocate.
  void set_max(std::size_t pipes_max);
  // An empty pipe; none when all are in use or the kernel gives none, which is counted.
  Pipe take() noexcept;

  std::size_t in_use() const noexcept { return in_use_; }
  // How often take() had nothing to give.
  std::uint64_t exhausted_count() const noexcept { return exhausted_; }

 private:
  friend class Pipe;
  struct Ends {
    Fd read;
    Fd write;
  };
  static Ends make() noexcept;
  void give_back(Pipe& pipe) noexcept;

  std::size_t pipes_max_ = 0;
  std::size_t in_use_ = 0;
  std::uint64_t exhausted_ = 0;
  std::vector<Ends> empty_;  // last in, first out
};

inline void Pipe::release() noexcept {
  if (pool_ != nullptr) pool_->give_back(*this);
  pool_ = nullptr;
}

}  // namespace weir
