#pragma once
// A worker's slab of I/O buffers: power-of-two classes, last in first out, bounded in bytes. One
// thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace weir {

class BufferPool;

// Owner of one buffer; gives it back to its pool when destroyed. Empty until taken.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      pool_ = std::exchange(other.pool_, nullptr);
      data_ = std::exchange(other.data_, nullptr);
      capacity_ = std::exchange(other.capacity_, 0);
    }
    return *this;
  }
  ~Buffer() { release(); }

  explicit operator bool() const noexcept { return data_ != nullptr; }
  char* data() const noexcept { return data_; }
  std::size_t capacity() const noexcept { return capacity_; }
  std::span<char> span() const noexcept WEIR_LIFETIMEBOUND { return {data_, capacity_}; }
  void release() noexcept;

 private:
  friend class BufferPool;
  Buffer(BufferPool& pool, char* data, std::uint32_t capacity) noexcept
      : pool_(&pool), data_(data), capacity_(capacity) {}
  BufferPool* pool_ = nullptr;
  char* data_ = nullptr;
  std::uint32_t capacity_ = 0;
};

class BufferPool {
 public:
  static constexpr std::size_t kSmallest = std::size_t{4} << 10;
  static constexpr std::size_t kLargest = std::size_t{512} << 10;

  // bytes_max: what all buffers together may hold, those in use and those kept free.
  explicit BufferPool(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}
  BufferPool(const BufferPool&) = delete;
  ~BufferPool();

  // A buffer of at least this many bytes (1 to kLargest), or an empty one when the limit is
  // reached.
  Buffer take(std::size_t bytes) noexcept;

  std::size_t bytes_in_use() const noexcept { return bytes_in_use_; }
  // How often take() had nothing to give.
  std::uint64_t exhausted_count() const noexcept { return exhausted_; }

 private:
  friend class Buffer;
  static constexpr std::size_t kClasses = 8;
  static std::size_t class_of(std::size_t bytes) noexcept;
  void give_back(char* data, std::size_t capacity) noexcept;
  void trim() noexcept;

  std::size_t bytes_max_;
  std::size_t bytes_held_ = 0;
  std::size_t bytes_in_use_ = 0;
  std::uint64_t exhausted_ = 0;
  std::array<std::vector<char*>, kClasses> free_;
};

inline void Buffer::release() noexcept {
  if (data_ == nullptr) return;
  pool_->give_back(data_, capacity_);
  data_ = nullptr;
  capacity_ = 0;
}

}  // namespace weir
