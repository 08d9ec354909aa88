#include "runtime/frame_cache.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/assert.h"

namespace weir {
namespace {

void* allocate_or_abort(std::size_t bytes) {
  void* frame = std::malloc(bytes);
  if (frame == nullptr) assertion_failed("memory for a coroutine frame", __FILE__, __LINE__);
  return frame;
}

}  // namespace

#if WEIR_POISON

void* allocate_frame(std::size_t bytes) { return allocate_or_abort(bytes); }
void free_frame(void* frame, std::size_t) noexcept { std::free(frame); }

#else

namespace {

// The sizes that malloc has on 64 bits: a multiple of 16, less the 8 bytes of its own. Frames that
// wait for long are many, and none shall be larger for its class.
constexpr std::size_t kStep = 16;
constexpr std::size_t kMallocBytes = 8;
constexpr std::size_t kClasses = 130;  // up to 2 KiB; a larger frame is a mistake worth a malloc

struct FreeFrame {
  FreeFrame* next;
};

struct FrameCache {
  std::array<FreeFrame*, kClasses> free{};
  // Leaves empty lists: what ends later on this thread may still come here.
  ~FrameCache() {
    for (FreeFrame*& head : free) {
      while (head != nullptr) std::free(std::exchange(head, head->next));
    }
  }
};

thread_local FrameCache frame_cache;

std::size_t class_of(std::size_t bytes) noexcept {
  return (bytes + kMallocBytes + kStep - 1) / kStep;
}

}  // namespace

void* allocate_frame(std::size_t bytes) {
  const std::size_t index = class_of(bytes);
  if (index >= kClasses) return allocate_or_abort(bytes);
  FreeFrame*& head = frame_cache.free[index];
  if (head != nullptr) return std::exchange(head, head->next);
  return allocate_or_abort(index * kStep - kMallocBytes);
}

void free_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t index = class_of(bytes);
  if (index >= kClasses) {
    std::free(frame);
    return;
  }
  FreeFrame*& head = frame_cache.free[index];
  head = std::construct_at(static_cast<FreeFrame*>(frame), head);
}

#endif

}  // namespace weir
