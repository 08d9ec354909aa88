#include "runtime/frame_cache.h"

#include <array>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/assert.h"

namespace weir {
namespace {

constexpr std::size_t kStep = 64;
constexpr std::size_t kClasses =
    33;  // frames up to 2 KiB; larger ones are a mistake worth a malloc

struct FreeFrame {
  FreeFrame* next;
};

struct FrameCache {
  std::array<FreeFrame*, kClasses> free{};
  ~FrameCache() {
    for (FreeFrame* frame : free) {
      while (frame != nullptr) std::free(std::exchange(frame, frame->next));
    }
  }
};

#if !WEIR_POISON
thread_local FrameCache frame_cache;
#endif

void* allocate_or_abort(std::size_t bytes) {
  void* frame = std::malloc(bytes);
  if (frame == nullptr) assertion_failed("memory for a coroutine frame", __FILE__, __LINE__);
  return frame;
}

}  // namespace

void* allocate_frame(std::size_t bytes) {
#if !WEIR_POISON
  const std::size_t index = (bytes + kStep - 1) / kStep;
  if (index < kClasses) {
    FreeFrame*& head = frame_cache.free[index];
    if (head != nullptr) return std::exchange(head, head->next);
    return allocate_or_abort(index * kStep);
  }
#endif
  return allocate_or_abort(bytes);
}

void free_frame(void* frame, std::size_t bytes) noexcept {
#if !WEIR_POISON
  const std::size_t index = (bytes + kStep - 1) / kStep;
  if (index < kClasses) {
    FreeFrame*& head = frame_cache.free[index];
    head = new (frame) FreeFrame{head};
    return;
  }
#endif
  static_cast<void>(bytes);
  std::free(frame);
}

}  // namespace weir
