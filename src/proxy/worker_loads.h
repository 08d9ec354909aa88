#pragma once
// WorkerLoads: how many client connections each worker has, known to all of them, so that whoever
// accepts one more than its share passes it on (design: Listening).

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/assert.h"

namespace weir::proxy {

class WorkerLoads {
 public:
  explicit WorkerLoads(std::uint32_t workers)
      : workers_(workers), loads_(std::make_unique<Load[]>(workers)) {}

  // Counts a connection that `worker` has just accepted, and says which worker is to serve it: the
  // least loaded one if this one, with the new connection, has at least 2 more and more than 1/8 of
  // the mean more. Any worker.
  std::uint32_t place(std::uint32_t worker) noexcept;
  // Counts a connection for this worker in any case; false if it has closed.
  bool try_join(std::uint32_t worker) noexcept;
  void leave(std::uint32_t worker) noexcept {
    loads_[worker].connections.fetch_sub(1, std::memory_order_relaxed);
  }
  std::uint32_t connections(std::uint32_t worker) const noexcept {
    const std::uint32_t load = loads_[worker].connections.load(std::memory_order_relaxed);
    return load == kClosed ? 0 : load;
  }
  // Over all workers, nearly: they go on meanwhile.
  std::uint64_t total() const noexcept;
  // The worker takes no further connection from others, if it has none. False: it has some.
  bool try_close(std::uint32_t worker) noexcept;

 private:
  static constexpr std::uint32_t kClosed = 0xffffffff;
  struct alignas(64) Load {
    std::atomic<std::uint32_t> connections{0};
  };

  std::uint32_t workers_;
  std::unique_ptr<Load[]> loads_;
};

}  // namespace weir::proxy
