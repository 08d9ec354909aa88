#pragma once
// Snapshot: an immutable compiled configuration, shared by all workers. Run-time state (backends,
// servers) is not part of it: the snapshot points there.

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "protocol/http1/parse_head.h"
#include "proxy/listener_settings.h"
#include "proxy/router.h"
#include "stats/registry.h"

namespace weir::proxy {

enum class BackendIndex : std::uint32_t {};

// One listener, compiled.
struct Listener {
  Listener(const ListenerSettings& settings, std::vector<BackendIndex> backends,
           stats::Registry& registry);

  static constexpr std::uint32_t kNoAccessLog = 0xffffffff;

  std::string name;
  net::Address address;
  Protocol protocol;
  Router router;
  std::vector<BackendIndex> route_backends;  // by RouteIndex
  http1::HeadLimits head_limits;
  ListenerTimeouts timeouts;
  ListenerLimits limits;
  AccessLogSettings access_log;
  std::uint32_t access_log_index = kNoAccessLog;       // of the log thread's files
  const std::atomic<bool>* access_log_full = nullptr;  // it takes no more lines at present
  std::shared_ptr<const stats::ListenerStats> stats;
};

struct Snapshot {
  std::vector<std::shared_ptr<Listener>> listeners;
  std::vector<std::shared_ptr<backend::Backend>> backends;
};

}  // namespace weir::proxy
