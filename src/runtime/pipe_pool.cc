#include "runtime/pipe_pool.h"

#include <algorithm>
#include <fcntl.h>

namespace weir {

void PipePool::set_max(std::size_t pipes_max) {
  pipes_max_ = pipes_max;
  empty_.reserve(std::min(pipes_max, kKeptMax));
}

// Beyond its allowance a user may not enlarge a pipe: then it stays as large as it was made.
PipePool::Ends PipePool::make() noexcept {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return {};
  Ends made{Fd(ends[0]), Fd(ends[1])};
  if (::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes) < 0 &&
      ::fcntl(ends[1], F_GETPIPE_SZ) < kPipeBytesMin) {
    return {};
  }
  return made;
}

Pipe PipePool::take() noexcept {
  if (pipes_max_ == 0) return {};
  Ends ends;
  if (!empty_.empty()) {
    ends = std::move(empty_.back());
    empty_.pop_back();
  } else if (in_use_ < pipes_max_) {
    ends = make();
  }
  if (!ends.read.is_open()) {
    ++exhausted_;
    return {};
  }
  ++in_use_;
  return {*this, ends.read.release(), ends.write.release()};
}

void PipePool::give_back(Pipe& pipe) noexcept {
  --in_use_;
  Ends ends{Fd(std::exchange(pipe.read_end_, -1)), Fd(std::exchange(pipe.write_end_, -1))};
  const bool is_empty = std::exchange(pipe.held_, 0) == 0;
  if (is_empty && empty_.size() < kKeptMax) empty_.push_back(std::move(ends));
}

}  // namespace weir
