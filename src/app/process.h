#pragma once
// Process: a running Weir: workers, control, log and jobs threads, from start to stop.

#include <memory>
#include <string>
#include <vector>

#include "app/reactor_choice.h"
#include "app/settings.h"

namespace weir::app {

struct RunOptions {
  std::string file = {};  // read again on SIGHUP; empty: there is none
  bool watch = false;     // read the file again when it changes
  ReactorWish reactor = ReactorWish::epoll;
  // Told the first listener's address when all accept; may be null.
  void (*ready)(const net::Address& listener) = nullptr;
};

// Runs until SIGTERM or SIGINT: stops accepting, finishes exchanges within timeouts.shutdown, cuts
// what is left; a second signal cuts at once, and the process ends then even if a worker hangs.
// Prints where it listens, then `ready`, to stderr. The exit status: 0, or 1 after a message when
// it could not start, or not end as it should. Blocks those signals, and SIGHUP, in the calling
// thread for good.
int run_process(const Settings& settings, const RunOptions& options);

}  // namespace weir::app
