#include "app/settings_change.h"

#include <fmt/format.h>
#include <ranges>
#include <tuple>

#include "config/difference.h"

namespace weir::app {
namespace {

constexpr std::size_t kChangesShown = 100;

std::string print_change(const config::Difference& difference) {
  switch (difference.kind) {
    case config::Difference::Kind::added:
      return fmt::format("{}: added {}", difference.path, difference.after);
    case config::Difference::Kind::removed:
      return difference.path + ": removed";
    case config::Difference::Kind::changed:
      return fmt::format("{}: {} -> {}", difference.path, difference.before, difference.after);
    case config::Difference::Kind::reordered:
      return difference.path + ": order changed";
  }
  return {};
}

// What only a new process can change.
auto process_settings(auto& settings) {
  return std::tie(settings.admin, settings.workers, settings.worker_connections,
                  settings.worker_buffers, settings.worker_pipes, settings.zone);
}

}  // namespace

std::vector<std::string> keep_process_settings(Settings& next, const Settings& in_force) {
  Settings before;
  Settings after;
  process_settings(before) = process_settings(in_force);
  process_settings(after) = process_settings(next);
  process_settings(next) = process_settings(in_force);
  std::vector<std::string> warnings;
  for (const config::Difference& difference : config::find_differences(before, after)) {
    warnings.push_back(print_change(difference) + ": takes effect at the next start");
  }
  return warnings;
}

std::vector<std::string> print_changes(const Settings& before, const Settings& after) {
  std::vector<std::string> changes;
  const auto differences = config::find_differences(before, after);
  for (const auto& difference : differences | std::views::take(kChangesShown)) {
    changes.push_back(print_change(difference));
  }
  if (differences.size() > kChangesShown) {
    changes.push_back(fmt::format("{} more", differences.size() - kChangesShown));
  }
  return changes;
}

}  // namespace weir::app
