#pragma once
// From a configuration to a snapshot: what no single folder can check (references, duplicates, what
// shadows what), and the compilation. Jobs thread or start; may allocate and take its time.

#include <memory>

#include "app/settings.h"
#include "config/node.h"
#include "config/problem.h"
#include "proxy/snapshot.h"

namespace weir::app {

// Reads, and checks all that can be checked without a running process. The settings are to be used
// only if `problems` has no error.
Settings load_settings(const config::Document& document, config::Problems& problems);

// What a new snapshot is to replace: what did not change is taken over from it.
struct InForce {
  const Settings& settings;
  const proxy::Snapshot& snapshot;
};

// The settings are free of errors. Files and sockets of listeners are left to the caller, who has
// to call adopt_servers() of each new backend when the snapshot comes into force.
proxy::Snapshot compile(const Settings& settings, stats::Registry& registry,
                        const InForce* before = nullptr);

}  // namespace weir::app
