#pragma once
// What a configuration says of a backend and its servers.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "backend/load_report_settings.h"
#include "balance/pickers.h"
#include "balance/placement.h"
#include "base/time.h"
#include "config/description.h"
#include "health/slow_start.h"
#include "net/server_address.h"
#include "net/source_address.h"
#include "net/tcp_settings.h"

namespace weir::backend {

using namespace std::chrono_literals;

// Where a server is on earth.
struct LocationSettings {
  double latitude = 0;
  double longitude = 0;
};

template <class V>
void describe(V& v, LocationSettings& s) {
  v.field("latitude", s.latitude, "Degrees, north positive.").required().range(-90, 90);
  v.field("longitude", s.longitude, "Degrees, east positive.").required().range(-180, 180);
}

struct ServerSettings {
  config::Located<std::string> name;
  net::ServerAddress address;
  std::uint32_t weight = 1;
  bool backup = false;
  std::uint32_t priority = 0;
  config::Located<std::string> zone;
  config::Located<std::string> subset;
  std::optional<LocationSettings> location;
  std::optional<std::uint32_t> maxconn;
  double capacity_scaler = 1;
  config::Located<std::optional<net::SourceAddress>> source_address;
};

template <class V>
void describe(V& v, ServerSettings& s) {
  v.field("name", s.name, "Name of the server, unique within its backend.")
      .required()
      .length_min(1)
      .length_max(128);
  v.field("address", s.address,
          "Where the server listens. Without a port, the port that the client connected to. A host "
          "name needs a port, and is resolved as `resolver` says; the server is used at each "
          "address that it stands for.")
      .required();
  v.field("weight", s.weight,
          "Share of the traffic, relative to the other servers' weights; 0 sends nothing new.")
      .range(0, balance::kWeightMax);
  v.field("backup", s.backup, "Gets traffic only when no server without this mark can be used.");
  v.field("priority", s.priority,
          "Servers of priority 0 get the traffic, those of the next one what is too much for them "
          "(see the backend's `overflow`), and so on; backups come after all.")
      .range(0, balance::kPriorityMax);
  v.field("zone", s.zone, "Where the server runs; see the backend's `cross_zone`.").length_max(128);
  v.field("subset", s.subset, "The subset that it belongs to; see the backend's `subsets`.")
      .length_max(128);
  v.field("location", s.location,
          "Where the server is on earth: clients are sent to the nearest place that has a usable "
          "server. Needs `geo_database`.");
  v.field("maxconn", s.maxconn,
          "Requests and tunnels that the server is sent at a time, over all workers; more wait in "
          "the backend's queue when every server is full.")
      .range(1, 1'000'000);
  v.field("capacity_scaler", s.capacity_scaler,
          "With `balance: utilization`: what part of its capacity may be used.")
      .range(0, 1);
  v.field("source_address", s.source_address,
          "The address of this machine that connections to the server come from, instead of the "
          "backend's.");
}

struct PoolSettings {
  std::uint32_t idle_max = 64;
  Duration idle_timeout = 50s;
  std::optional<std::uint32_t> requests_max;
};

template <class V>
void describe(V& v, PoolSettings& s) {
  v.field("idle_max", s.idle_max,
          "Idle connections kept for each server, over all workers; 0 keeps none.")
      .range(0, 65535);
  v.field("idle_timeout", s.idle_timeout, "How long an idle connection to a server is kept.")
      .range(1ms, 24h);
  v.field("requests_max", s.requests_max,
          "Requests that a connection to a server may carry before it is closed; without it, any "
          "number.")
      .range(1, UINT32_MAX);
}

struct BackendTimeouts {
  Duration connect = 2s;
  Duration response_head = 60s;
  Duration server_body = 30s;
  Duration queue = 10s;
};

template <class V>
void describe(V& v, BackendTimeouts& s) {
  v.field("connect", s.connect,
          "How long a server may take to accept a connection, at all of its addresses together.")
      .range(1ms, 1h);
  v.field("response_head", s.response_head,
          "How long a server may take from the end of the request to the whole response head.")
      .range(1ms, 24h);
  v.field("server_body", s.server_body,
          "How long a server may be silent within a response body, or take nothing of a request.")
      .range(1ms, 24h);
  v.field("queue", s.queue, "How long a request may wait while every server is at its maxconn.")
      .range(1ms, 1h);
}

// For one request, or one connection with protocol: tcp.
inline constexpr std::uint32_t kAttemptsMax = 8;

struct RetrySettings {
  std::uint32_t attempts = 3;
  std::optional<Duration> per_try_timeout;
  Duration deadline = 60s;
  Duration backoff = 25ms;
  Duration backoff_max = 1s;
};

template <class V>
void describe(V& v, RetrySettings& s) {
  v.field("attempts", s.attempts, "Attempts for a request in all; 1 repeats nothing.")
      .range(1, kAttemptsMax);
  v.field("per_try_timeout", s.per_try_timeout,
          "How long one attempt may take to connect and to get the whole response head. The time "
          "in which the client sends its request does not count.")
      .range(1ms, 24h);
  v.field("deadline", s.deadline,
          "How long all attempts together may take up to the whole response head. The time in "
          "which the client sends its request does not count for the attempt under way.")
      .range(1ms, 24h);
  v.field("backoff", s.backoff,
          "Before another attempt, a random time up to this passes; doubled each time. None after "
          "a refused connection. 0 never waits.")
      .range(0s, 1h);
  v.field("backoff_max", s.backoff_max, "What backoff is doubled to at most.").range(0s, 1h);
}

// Versions of the header of the PROXY protocol.
enum class ProxyProtocol : std::uint8_t { v1, v2 };
constexpr auto names_of(ProxyProtocol) {
  return std::to_array<std::pair<std::string_view, ProxyProtocol>>(
      {{"v1", ProxyProtocol::v1}, {"v2", ProxyProtocol::v2}});
}

struct SubsetSettings {
  config::Located<std::string> key;
  balance::SubsetFallback fallback = balance::SubsetFallback::any;
};

template <class V>
void describe(V& v, SubsetSettings& s) {
  v.field("key", s.key, "Text with ${...} values: the name of the subset that is to answer.")
      .required()
      .length_min(1)
      .length_max(4096);
  v.field("fallback", s.fallback,
          "What a request gets whose subset has nobody to answer it, or that names none: any "
          "server, or none.");
}

struct BackendSettings {
  config::Located<std::string> name;
  balance::BalanceSettings balance;
  std::optional<health::SlowStartSettings> slow_start;
  std::optional<LoadReportSettings> load_report;
  double overflow = 1.4;
  config::Located<balance::CrossZone> cross_zone{balance::CrossZone::always};
  std::optional<SubsetSettings> subsets;
  std::vector<ServerSettings> servers;
  BackendTimeouts timeouts;
  RetrySettings retry;
  PoolSettings pool;
  std::optional<ProxyProtocol> proxy_protocol;
  config::Located<std::optional<net::SourceAddress>> source_address;
  net::TcpSettings tcp;
  Duration refused_pause = 1s;
  std::uint32_t queue_length = 1024;
  Duration drain_deadline = 5min;
};

template <class V>
void describe(V& v, BackendSettings& s) {
  v.field("name", s.name, "Name of the backend, by which routes and listeners refer to it.")
      .required()
      .length_min(1)
      .length_max(128);
  v.field("balance", s.balance, "The algorithm that picks a server for each request.");
  v.field("slow_start", s.slow_start,
          "A server that is added, or can be used again, gets its share little by little. Without "
          "it, all of it at once. Nobody is held back when the process starts.");
  v.field("load_report", s.load_report,
          "Where each server says how loaded it is, for the algorithms that go by it.");
  v.field("overflow", s.overflow,
          "A priority, or the own zone, keeps all of its traffic while at least 1/overflow of its "
          "weight can be used; below, it gives the rest to the next.")
      .range(1, 100);
  v.field("cross_zone", s.cross_zone,
          "What servers of other zones than the process's `zone` get: always as much as its own; "
          "overflow: what is too much for its own; never: nothing.");
  v.field("subsets", s.subsets,
          "Requests say which of the servers are to answer them: those of one `subset`.");
  v.field("servers", s.servers, "The servers that can answer the same requests.")
      .required()
      .size(1, balance::kServersMax);
  v.field("timeouts", s.timeouts, "How long the servers may take.");
  v.field("retry", s.retry, "When and how often a request that failed is tried again.");
  v.field("pool", s.pool, "Idle connections to the servers.");
  v.field("proxy_protocol", s.proxy_protocol,
          "Connections to the servers begin with a header of the PROXY protocol of this version, "
          "which names the client. Requests of several clients then share no connection.");
  v.field("source_address", s.source_address,
          "The address of this machine that connections to the servers come from; without it, the "
          "one that the kernel's routes say.");
  v.field("tcp", s.tcp, "What TCP does for connections to the servers (not to unix sockets).");
  v.field("refused_pause", s.refused_pause,
          "How long a server that refused a connection is left out while another can be used.")
      .range(0s, 1h);
  v.field("queue_length", s.queue_length,
          "Requests that may wait, over all workers, while every server is at its maxconn; more "
          "are refused.")
      .range(0, 1'000'000);
  v.field("drain_deadline", s.drain_deadline,
          "How long what is under way on a server that is drained or removed may go on.")
      .range(0s, 168h);
}

}  // namespace weir::backend
