#include "base/buffer_pool.h"

#include <bit>
#include <cstdlib>
#include <new>

#if WEIR_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) static_cast<void>(0)
#endif

namespace weir {

BufferPool::~BufferPool() {
  WEIR_ASSERT(bytes_in_use_ == 0);
  trim();
}

std::size_t BufferPool::class_of(std::size_t bytes) noexcept {
  if (bytes <= kSmallest) return 0;
  return static_cast<std::size_t>(std::bit_width(bytes - 1) - std::bit_width(kSmallest - 1));
}

Buffer BufferPool::take(std::size_t bytes) noexcept {
  WEIR_ASSERT(bytes <= kLargest);
  const std::size_t index = class_of(bytes);
  const std::size_t capacity = kSmallest << index;
  char* data = nullptr;
  if (!free_[index].empty()) {
    data = free_[index].back();
    free_[index].pop_back();
    ASAN_UNPOISON_MEMORY_REGION(data, capacity);
  } else {
    if (bytes_held_ + capacity > bytes_max_) trim();
    if (bytes_held_ + capacity <= bytes_max_) data = static_cast<char*>(std::malloc(capacity));
    if (data == nullptr) {
      ++exhausted_;
      return {};
    }
    bytes_held_ += capacity;
  }
  bytes_in_use_ += capacity;
  return Buffer(*this, data, static_cast<std::uint32_t>(capacity));
}

void BufferPool::give_back(char* data, std::size_t capacity) noexcept {
  WEIR_ASSERT(bytes_in_use_ >= capacity);
  bytes_in_use_ -= capacity;
  ASAN_POISON_MEMORY_REGION(data, capacity);
  free_[class_of(capacity)].push_back(data);
}

// Free buffers of one class must not keep another class from its share of the limit.
void BufferPool::trim() noexcept {
  for (std::size_t index = 0; index < kClasses; ++index) {
    for (char* data : free_[index]) {
      ASAN_UNPOISON_MEMORY_REGION(data, kSmallest << index);
      std::free(data);
      bytes_held_ -= kSmallest << index;
    }
    free_[index].clear();
  }
}

}  // namespace weir
