#pragma once
// Snapshot: an immutable compiled configuration, shared by all workers. Run-time state (servers,
// sockets, connections) is not part of it. Nothing under way holds one: an exchange or tunnel holds
// the few parts that it needs, so that an old snapshot ends as soon as the workers have the new
// one.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "protocol/http1/parse_head.h"
#include "proxy/access_log_file.h"
#include "proxy/listener_settings.h"
#include "proxy/router.h"
#include "proxy/split.h"
#include "stats/registry.h"

namespace weir::proxy {

class FilterChain;

// A backend's place in its snapshot.
enum class BackendIndex : std::uint32_t { none = 0xffffffff };

// What connections, tunnels and exchanges need of their listener, for as long as they live.
struct Listener {
  Listener(const ListenerSettings& settings, stats::Registry& registry);

  std::string name;
  Protocol protocol;
  http1::HeadLimits head_limits;
  ListenerTimeouts timeouts;
  ListenerLimits limits;
  std::shared_ptr<ClientLimit>
      client_limit;  // of limits.connections_per_client; null: there is none
  net::ListenerTcpSettings tcp;
  std::uint32_t maxconn;  // 0: no limit
  net::CidrSet trusted_proxies;
  bool proxy_protocol;  // expected from trusted proxies
  ForwardedSettings forwarded;
  std::string via;                                  // empty: none
  std::string request_id;                           // name of its field; empty: none
  std::shared_ptr<const AccessLogFile> access_log;  // null: no line is written
  std::optional<Template> log_line;                 // nullopt: the log thread lays the lines out
  std::shared_ptr<const stats::ListenerStats> stats;
  // For answers to what no route takes; null: there are none.
  std::shared_ptr<const FilterChain> filters;
};

// The listening sockets of one address, one a worker; the same from one snapshot to the next.
enum class SocketsId : std::uint32_t {};

struct SplitGroup {
  std::string name;
  BackendIndex backend = BackendIndex::none;
  std::shared_ptr<const FilterChain> filters;  // null: there are none
  std::shared_ptr<const stats::GroupStats> stats;
};

// Several backends that answer the requests of one route.
struct Split {
  RouteIndex route;
  SplitShares shares;
  Template key;                    // empty: chance decides
  std::vector<SplitGroup> groups;  // by GroupIndex
};

// A listener with its routes.
struct ServedListener {
  std::shared_ptr<const Listener> listener;
  std::vector<SocketsId> sockets;  // an entry for each of its addresses
  std::shared_ptr<const Router> router;
  // By RouteIndex.
  std::vector<BackendIndex> route_backends;  // none: a split, or a filter replies to all
  std::vector<std::shared_ptr<const FilterChain>> route_filters;  // null: there are none
  std::vector<RouteTimeouts> route_timeouts;
  std::vector<std::shared_ptr<const Split>> splits;  // in the order of their routes
};

struct Snapshot {
  std::uint32_t maxconn = 0;  // client connections over all workers; 0: no limit
  std::vector<ServedListener> listeners;
  std::vector<std::shared_ptr<backend::Backend>> backends;
  std::shared_ptr<const net::GeoDatabase> geo;  // null: there is none
  // By BackendIndex: the same backend's place in the snapshot before, whether or not it changed.
  std::vector<BackendIndex> predecessors;
};

// Of the listener's routes; a listener with a backend of its own has a single one for everything.
std::shared_ptr<const Router> make_router(const ListenerSettings& settings);

}  // namespace weir::proxy
