#pragma once
// Memory of coroutine frames: a free list per size class and thread, so that a child task costs no
// malloc. Sanitizer builds go to malloc each time, so that a use after the end of a frame is seen.

#include <cstddef>

namespace weir {

void* allocate_frame(std::size_t bytes);
void free_frame(void* frame, std::size_t bytes) noexcept;

}  // namespace weir
