#pragma once
// Bump allocator for what lives as long as one exchange. Destructors of what is made in it do not
// run, so that what is not trivially destructible is its maker's affair. Bounded by the pool it
// borrows its chunks from.

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/buffer_pool.h"

namespace weir {

class Arena {
 public:
  explicit Arena(BufferPool& pool) noexcept : pool_(pool) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { release(); }

  // nullptr when the pool has no more, or for more than one chunk holds (bytes_max). The alignment
  // is that of malloc at most.
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
    WEIR_ASSERT(alignment <= alignof(std::max_align_t));
    const std::size_t aligned = (used_ + alignment - 1) & ~(alignment - 1);
    if (chunk_ != nullptr && aligned <= kChunkBytes && bytes <= kChunkBytes - aligned) {
      used_ = aligned + bytes;
      return reinterpret_cast<char*>(chunk_) + aligned;
    }
    return allocate_in_new_chunk(bytes, alignment);
  }

  // Uninitialised storage; an empty span when there is no room.
  template <class T>
  std::span<T> allocate_array(std::size_t count) noexcept {
    static_assert(std::is_trivially_destructible_v<T>);
    if (count > bytes_max() / sizeof(T)) return {};
    void* place = allocate(count * sizeof(T), alignof(T));
    if (place == nullptr) return {};
    return {static_cast<T*>(place), count};
  }

  template <class T, class... Args>
  T* make(Args&&... args) noexcept {
    static_assert(std::is_trivially_destructible_v<T>);
    return construct<T>(std::forward<Args>(args)...);
  }

  // The caller ends its life before the arena's.
  template <class T, class... Args>
  T* construct(Args&&... args) noexcept {
    void* place = allocate(sizeof(T), alignof(T));
    return place == nullptr ? nullptr : new (place) T(std::forward<Args>(args)...);
  }

  // A copy that lives as long as the arena; empty (data() == nullptr) when there is no room.
  std::string_view copy(std::string_view text) noexcept {
    void* place = allocate(text.size(), 1);
    if (place == nullptr) return {};
    if (!text.empty()) std::memcpy(place, text.data(), text.size());
    return {static_cast<char*>(place), text.size()};
  }

  // The most bytes that one allocation may ask for.
  static constexpr std::size_t bytes_max() noexcept { return kChunkBytes - sizeof(Chunk); }

  // Gives every chunk back; all that was made in it is gone.
  void release() noexcept;

 private:
  struct Chunk {
    Buffer buffer;
    Chunk* previous;
  };
  static constexpr std::size_t kChunkBytes = std::size_t{8} << 10;
  void* allocate_in_new_chunk(std::size_t bytes, std::size_t alignment) noexcept;

  BufferPool& pool_;
  Chunk* chunk_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace weir
