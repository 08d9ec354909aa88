#include "runtime/pipe_pool.h"

#include <algorithm>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <string_view>
#include <vector>

#include "runtime/descriptor_test_support.h"

namespace weir {
namespace {

void put(Pipe& pipe, std::string_view text) {
  ASSERT_EQ(::write(pipe.write_end(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  pipe.put(text.size());
}

TEST(PipePool, HasNoneUntilItIsToldSo) {
  PipePool pool;
  EXPECT_FALSE(pool.take());
  EXPECT_EQ(pool.exhausted_count(), 0u);
}

TEST(PipePool, GivesPipesThatHoldEnough) {
  PipePool pool;
  pool.set_max(1);
  const Pipe pipe = pool.take();
  ASSERT_TRUE(pipe);
  EXPECT_EQ(pipe.held(), 0u);
  EXPECT_GE(::fcntl(pipe.write_end(), F_GETPIPE_SZ), PipePool::kPipeBytesMin);
  EXPECT_NE(::fcntl(pipe.read_end(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(pipe.read_end(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(PipePool, AnEmptyPipeIsKeptForTheNext) {
  PipePool pool;
  pool.set_max(2);
  Pipe pipe = pool.take();
  const int read_end = pipe.read_end();
  pipe.release();
  EXPECT_EQ(pool.in_use(), 0u);
  pipe = pool.take();
  EXPECT_EQ(pipe.read_end(), read_end);
}

TEST(PipePool, APipeWithSomethingInItIsClosed) {
  PipePool pool;
  pool.set_max(1);
  for (int i = 0; i < 3; ++i) {
    Pipe pipe = pool.take();
    ASSERT_TRUE(pipe);
    char byte;
    EXPECT_EQ(::read(pipe.read_end(), &byte, 1), -1);  // what the last one lost is gone
    put(pipe, "lost");
  }
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(PipePool, GivesNoMoreThanItMay) {
  PipePool pool;
  pool.set_max(2);
  Pipe one = pool.take();
  const Pipe two = pool.take();
  EXPECT_FALSE(pool.take());
  EXPECT_EQ(pool.exhausted_count(), 1u);
  EXPECT_EQ(pool.in_use(), 2u);
  one.release();
  EXPECT_TRUE(pool.take());
}

TEST(PipePool, KeepsAFewEmptyPipesAndClosesTheOthers) {
  PipePool pool;
  pool.set_max(PipePool::kKeptMax + 2);
  std::vector<int> read_ends;
  {
    std::vector<Pipe> pipes;
    for (Pipe pipe = pool.take(); pipe; pipe = pool.take()) {
      read_ends.push_back(pipe.read_end());
      pipes.push_back(std::move(pipe));
    }
  }
  const auto is_open = [](int fd) { return ::fcntl(fd, F_GETFD) != -1; };
  EXPECT_EQ(std::ranges::count_if(read_ends, is_open), int{PipePool::kKeptMax});
  EXPECT_TRUE(pool.take());
}

TEST(PipePool, WithoutDescriptorsThereAreNone) {
  PipePool pool;
  pool.set_max(1);
  {
    const NoDescriptorLeft nothing;
    EXPECT_FALSE(pool.take());
  }
  EXPECT_EQ(pool.exhausted_count(), 1u);
  EXPECT_TRUE(pool.take());
}

TEST(PipePool, AMovedPipeHasOneOwner) {
  PipePool pool;
  pool.set_max(2);
  Pipe pipe = pool.take();
  put(pipe, "x");
  Pipe moved = std::move(pipe);
  EXPECT_EQ(moved.held(), 1u);
  EXPECT_EQ(pool.in_use(), 1u);
  moved = pool.take();
  EXPECT_EQ(moved.held(), 0u);
  EXPECT_EQ(pool.in_use(), 1u);
}

}  // namespace
}  // namespace weir
