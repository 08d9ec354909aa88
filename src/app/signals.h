#pragma once
// Signals: those by which a process is steered, taken by a thread of their own. Whatever the main
// thread waits for, be it a worker that hangs, the second signal to stop ends the process.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "base/time.h"

namespace weir::app {

class Signals {
 public:
  enum class Request : std::uint8_t { none, reload, stop };

  // From now on SIGHUP, SIGTERM and SIGINT are blocked in the calling thread, and in those that it
  // starts, for good. A thread that was started before takes them, and ends the process.
  static void block();

  // Blocks them, too.
  Signals();
  Signals(const Signals&) = delete;
  ~Signals();

  // What was asked for, `stop` first, waiting for at most `timeout`; none: nothing came. After the
  // second `stop` the process ends with status 1 unless this object is destroyed within 3 s, and at
  // once at a third. One thread.
  Request await(Duration timeout);

 private:
  void run();
  void tell(Request request);

  std::mutex mutex_;
  std::condition_variable told_;
  // Not taken yet. Under the mutex.
  bool reload_ = false;
  int stops_ = 0;

  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace weir::app
