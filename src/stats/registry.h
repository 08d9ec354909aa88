#pragma once
// Where the cells of all workers are found: by name when a configuration is compiled, all together
// when somebody reads. Workers never come here; they hold references to their own cells.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "stats/cells.h"
#include "stats/metrics.h"

namespace weir::stats {

// The labels of a series as Prometheus writes them, without braces: `backend="users",server="u1"`.
std::string listener_labels(std::string_view listener);
// route: its number, from 1.
std::string group_labels(std::string_view listener, std::size_t route, std::string_view group);
std::string backend_labels(std::string_view backend);
std::string server_labels(std::string_view backend, std::string_view server);
std::string name_labels(std::string_view name);

// One listener, group, backend or server: a block of cells for each worker. Whatever counts into it
// (a server, a snapshot) holds it; when the last one lets go its series end.
template <class Cells>
class PerWorker {
 public:
  PerWorker(std::string labels, std::size_t workers) : labels_(std::move(labels)) {
    for (std::size_t i = 0; i < workers; ++i) cells_.push_back(std::make_unique<Cells>());
  }

  // The cells that only this worker may write.
  Cells& of(std::size_t worker) const noexcept WEIR_LIFETIMEBOUND {
    WEIR_ASSERT(worker < cells_.size());
    return *cells_[worker];
  }

  std::size_t workers() const noexcept { return cells_.size(); }
  const std::string& labels() const noexcept WEIR_LIFETIMEBOUND { return labels_; }

  // Over all workers; any thread.
  std::uint64_t sum(Cell Cells::* cell) const noexcept {
    std::uint64_t total = 0;
    for (const auto& cells : cells_) total += ((*cells).*cell).read();
    return total;
  }
  HistogramCounts sum(Histogram Cells::* histogram) const noexcept {
    HistogramCounts total;
    for (const auto& cells : cells_) total.add((*cells).*histogram);
    return total;
  }

 private:
  std::string labels_;
  std::vector<std::unique_ptr<Cells>> cells_;
};

using ListenerStats = PerWorker<ListenerCells>;
// Connections of the listener that are open, or were a moment ago. Any thread.
inline std::uint64_t connections_open(const ListenerStats& stats) noexcept {
  // In this order, so that none is seen to end that was not seen to come.
  const std::uint64_t closed = stats.sum(&ListenerCells::connections_closed);
  const std::uint64_t accepted = stats.sum(&ListenerCells::connections);
  return accepted > closed ? accepted - closed : 0;
}
using GroupStats = PerWorker<GroupCells>;
using BackendStats = PerWorker<BackendCells>;
using ServerStats = PerWorker<ServerCells>;

// An object as a reader sees it: MetricRow::cell is an offset into each of its blocks.
struct ObjectView {
  std::shared_ptr<const void> object;  // keeps labels and blocks; nullptr: the registry does
  std::string_view labels;
  std::vector<const std::byte*> blocks;
};

class Registry {
 public:
  // Listeners, groups, backends and servers together.
  static constexpr std::size_t kObjectsMax = 20'000;

  explicit Registry(std::size_t workers, std::size_t objects_max = kObjectsMax);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  std::uint32_t workers() const noexcept { return static_cast<std::uint32_t>(workers_.workers()); }
  // For as long as the registry lives; only this worker may write.
  WorkerCells& worker(std::size_t index) noexcept WEIR_LIFETIMEBOUND;

  // The object of that name while somebody holds it, else a new one; so counts outlive a reload.
  // When there are too many, one that all of the same kind share, under the name `(other)`. Any
  // thread.
  std::shared_ptr<const ListenerStats> listener(std::string_view name);
  std::shared_ptr<const GroupStats> group(std::string_view listener, std::size_t route,
                                          std::string_view name);
  std::shared_ptr<const BackendStats> backend(std::string_view name);
  std::shared_ptr<const ServerStats> server(std::string_view backend, std::string_view name);

  // How often `(other)` was given. Any thread.
  std::uint64_t objects_refused() const;

  // What there is in a scope, ordered by labels. Any thread.
  std::vector<ObjectView> objects(MetricScope scope) const;

 private:
  template <class Cells>
  struct Family {
    std::map<std::string, std::weak_ptr<const PerWorker<Cells>>> objects;
    std::shared_ptr<const PerWorker<Cells>> other;  // made when first needed
  };

  template <class Cells>
  std::shared_ptr<const PerWorker<Cells>> find_or_make(Family<Cells>& family, std::string labels,
                                                       std::string other_labels);
  bool make_room();

  const std::size_t objects_max_;
  const PerWorker<WorkerCells> workers_;
  std::vector<std::string> worker_labels_;

  mutable std::mutex mutex_;  // guards what follows
  Family<ListenerCells> listeners_;
  Family<GroupCells> groups_;
  Family<BackendCells> backends_;
  Family<ServerCells> servers_;
  std::uint64_t objects_refused_ = 0;
};

}  // namespace weir::stats
