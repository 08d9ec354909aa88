#include "stats/registry.h"

namespace weir::stats {
namespace {

constexpr std::string_view kOther = "(other)";

void append_label(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ',';
  out.append(name).append("=\"");
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

template <class Cells>
const std::byte* block_of(const Cells& cells) noexcept {
  return reinterpret_cast<const std::byte*>(&cells);
}

template <class Cells>
ObjectView view_of(const std::shared_ptr<const PerWorker<Cells>>& object) {
  ObjectView view;
  view.object = object;
  view.labels = object->labels();
  for (std::size_t i = 0; i < object->workers(); ++i)
    view.blocks.push_back(block_of(object->of(i)));
  return view;
}

template <class Family>
std::vector<ObjectView> views_of(const Family& family) {
  std::vector<ObjectView> views;
  if (family.other) views.push_back(view_of(family.other));
  for (const auto& [labels, watched] : family.objects) {
    if (const auto object = watched.lock()) views.push_back(view_of(object));
  }
  return views;
}

template <class Family>
void drop_expired(Family& family) {
  std::erase_if(family.objects, [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace

std::string listener_labels(std::string_view listener) {
  std::string out;
  append_label(out, "listener", listener);
  return out;
}

std::string group_labels(std::string_view listener, std::size_t route, std::string_view group) {
  std::string out = listener_labels(listener);
  append_label(out, "route", std::to_string(route));
  append_label(out, "group", group);
  return out;
}

std::string backend_labels(std::string_view backend) {
  std::string out;
  append_label(out, "backend", backend);
  return out;
}

std::string server_labels(std::string_view backend, std::string_view server) {
  std::string out;
  append_label(out, "backend", backend);
  append_label(out, "server", server);
  return out;
}

std::string name_labels(std::string_view name) {
  std::string out;
  append_label(out, "name", name);
  return out;
}

Registry::Registry(std::size_t workers, std::size_t objects_max)
    : objects_max_(objects_max), workers_("", workers) {
  for (std::size_t i = 0; i < workers; ++i) {
    append_label(worker_labels_.emplace_back(), "worker", std::to_string(i));
  }
}

WorkerCells& Registry::worker(std::size_t index) noexcept { return workers_.of(index); }

bool Registry::make_room() {
  const auto size = [this] {
    return listeners_.objects.size() + groups_.objects.size() + backends_.objects.size() +
           servers_.objects.size();
  };
  if (size() < objects_max_) return true;
  drop_expired(listeners_);
  drop_expired(groups_);
  drop_expired(backends_);
  drop_expired(servers_);
  return size() < objects_max_;
}

template <class Cells>
std::shared_ptr<const PerWorker<Cells>> Registry::find_or_make(Family<Cells>& family,
                                                               std::string labels,
                                                               std::string other_labels) {
  const std::lock_guard lock(mutex_);
  if (const auto found = family.objects.find(labels); found != family.objects.end()) {
    if (auto object = found->second.lock()) return object;
    family.objects.erase(found);
  }
  if (!make_room()) {
    ++objects_refused_;
    if (!family.other) {
      family.other =
          std::make_shared<const PerWorker<Cells>>(std::move(other_labels), workers_.workers());
    }
    return family.other;
  }
  auto object = std::make_shared<const PerWorker<Cells>>(labels, workers_.workers());
  family.objects.emplace(std::move(labels), object);
  return object;
}

std::shared_ptr<const ListenerStats> Registry::listener(std::string_view name) {
  return find_or_make(listeners_, listener_labels(name), listener_labels(kOther));
}

std::shared_ptr<const GroupStats> Registry::group(std::string_view listener, std::size_t route,
                                                  std::string_view name) {
  return find_or_make(groups_, group_labels(listener, route, name),
                      group_labels(kOther, 0, kOther));
}

std::shared_ptr<const BackendStats> Registry::backend(std::string_view name) {
  return find_or_make(backends_, backend_labels(name), backend_labels(kOther));
}

std::shared_ptr<const ServerStats> Registry::server(std::string_view backend,
                                                    std::string_view name) {
  return find_or_make(servers_, server_labels(backend, name), server_labels(kOther, kOther));
}

std::uint64_t Registry::objects_refused() const {
  const std::lock_guard lock(mutex_);
  return objects_refused_;
}

std::vector<ObjectView> Registry::objects(MetricScope scope) const {
  const std::lock_guard lock(mutex_);
  switch (scope) {
    case MetricScope::process: {
      ObjectView process;
      for (std::size_t i = 0; i < workers_.workers(); ++i) {
        process.blocks.push_back(block_of(workers_.of(i)));
      }
      return {process};
    }
    case MetricScope::worker: {
      std::vector<ObjectView> views;
      for (std::size_t i = 0; i < workers_.workers(); ++i) {
        views.push_back({nullptr, worker_labels_[i], {block_of(workers_.of(i))}});
      }
      return views;
    }
    case MetricScope::listener:
      return views_of(listeners_);
    case MetricScope::group:
      return views_of(groups_);
    case MetricScope::backend:
      return views_of(backends_);
    case MetricScope::server:
      return views_of(servers_);
    case MetricScope::name:
      return {};  // samples only
  }
  return {};
}

}  // namespace weir::stats
