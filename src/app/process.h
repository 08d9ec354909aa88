#pragma once
// Process: a running Weir: workers, control, log and jobs threads, from start to stop.

#include <memory>
#include <string>
#include <vector>

#include "app/settings.h"

namespace weir::app {

// Runs until SIGTERM or SIGINT: stops accepting, finishes exchanges within timeouts.shutdown, cuts
// what is left; a second signal ends at once. Prints where it listens, then `ready`, to stderr. The
// exit status: 0, or 1 after a message when it could not start. Blocks those signals in the calling
// thread for good.
// ready: told the first listener's address when all accept; may be null.
int run_process(const Settings& settings, void (*ready)(const net::Address& listener) = nullptr);

}  // namespace weir::app
