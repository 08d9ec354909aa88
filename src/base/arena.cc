#include "base/arena.h"

namespace weir {

void Arena::release() noexcept {
  while (chunk_ != nullptr) {
    Chunk* previous = chunk_->previous;
    // The chunk's record lives in the very buffer that it owns.
    Buffer buffer = std::move(chunk_->buffer);
    chunk_->~Chunk();
    chunk_ = previous;
  }
  used_ = 0;
}

void* Arena::allocate_in_new_chunk(std::size_t bytes, std::size_t alignment) noexcept {
  static_assert(sizeof(Chunk) % alignof(std::max_align_t) == 0);  // so nothing is lost to padding
  if (bytes > bytes_max()) return nullptr;
  Buffer buffer = pool_.take(kChunkBytes);
  if (!buffer) return nullptr;
  char* data = buffer.data();
  chunk_ = new (data) Chunk{std::move(buffer), chunk_};
  used_ = sizeof(Chunk);
  return allocate(bytes, alignment);
}

}  // namespace weir
