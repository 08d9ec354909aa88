#include "runtime/frame_cache.h"

#include <cstring>
#include <gtest/gtest.h>
#include <thread>

namespace weir {
namespace {

TEST(FrameCache, GivesMemoryOfAnySize) {
  for (std::size_t bytes = 1; bytes < 5000; bytes += 7) {
    void* frame = allocate_frame(bytes);
    ASSERT_NE(frame, nullptr);
    std::memset(frame, 0xff, bytes);
    free_frame(frame, bytes);
  }
}

#if !WEIR_POISON
TEST(FrameCache, AFreedFrameServesTheNextOfItsSizeClass) {
  void* frame = allocate_frame(130);
  free_frame(frame, 130);
  void* larger = allocate_frame(137);
  void* similar = allocate_frame(136);
  EXPECT_NE(larger, frame);
  free_frame(larger, 137);
  EXPECT_EQ(similar, frame);
  free_frame(similar, 136);
}
#endif

TEST(FrameCache, AFrameMayEndOnAnotherThread) {
  void* frame = allocate_frame(100);
  std::thread([frame] {
    free_frame(frame, 100);
    free_frame(allocate_frame(100), 100);
  }).join();
}

}  // namespace
}  // namespace weir
