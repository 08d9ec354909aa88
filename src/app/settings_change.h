#pragma once
// What a reload changes, for the person who asked for it.

#include <string>
#include <vector>

#include "app/settings.h"

namespace weir::app {

// next goes on with those settings of in_force that only a new process can change; a warning for
// each that it would have otherwise. Jobs thread.
std::vector<std::string> keep_process_settings(Settings& next, const Settings& in_force);

// A line for each setting that differs, at most 100 and how many more there are:
// "backends[users].servers[u1].weight: 5 -> 3". Jobs thread.
std::vector<std::string> print_changes(const Settings& before, const Settings& after);

}  // namespace weir::app
