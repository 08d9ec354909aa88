#pragma once
// One worker's view of the splits of its routes.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/worker_backend.h"
#include "proxy/filter_use.h"
#include "proxy/snapshot.h"

namespace weir::proxy {

// What an exchange or tunnel holds of the group that it is in.
struct GroupUse : LocalCounted {
  GroupUse(const SplitGroup& group, std::uint32_t worker)
      : name(group.name), stats(group.stats), cells(stats->of(worker)) {}
  std::string name;
  std::shared_ptr<const stats::GroupStats> stats;
  stats::GroupCells& cells;
};

struct WorkerGroup {
  LocalRef<GroupUse> use;
  LocalRef<backend::WorkerBackend> backend;
  LocalRef<FilterUse> filters;  // null: there are none
};

struct WorkerSplit {
  RouteIndex route;
  std::shared_ptr<const Split> split;
  std::vector<WorkerGroup> groups;  // by GroupIndex

  // For what comes now; counts whom its key says nothing about. Does not allocate.
  const WorkerGroup& choose(const ValueSource& source, Worker& worker) const noexcept {
    if (split->key.text().empty()) return group_at(worker.random().next());
    const std::span<char> space = worker.shared_buffer();
    if (const auto bytes = split->key.write_key(source, space)) {
      return group_at(point_of_key({space.data(), *bytes}));
    }
    const WorkerGroup& group = group_at(worker.random().next());
    group.use->cells.without_key.add();
    return group;
  }
  const WorkerGroup& group_at(std::uint64_t point) const noexcept {
    return groups[static_cast<std::size_t>(split->shares.group_at(point))];
  }
};

}  // namespace weir::proxy
