#pragma once
// The whole of a configuration: what the folders below describe, put together.

#include <optional>
#include <string>
#include <vector>

#include "backend/backend_settings.h"
#include "base/byte_count.h"
#include "config/description.h"
#include "discovery/resolver_settings.h"
#include "net/address.h"
#include "proxy/listener_settings.h"

namespace weir::app {

using namespace std::chrono_literals;

// `auto` (count 0) is one for each CPU that the process may use.
struct WorkerCount {
  std::uint32_t count = 0;
};
inline constexpr std::uint32_t kWorkersMax = 1024;
std::expected<void, std::string> parse_scalar(std::string_view text, WorkerCount& out);
std::string print_scalar(WorkerCount value);
constexpr config::ScalarInfo scalar_info(std::type_identity<WorkerCount>) {
  return {"auto or a number from 1 to 1024", "auto",
          R"("oneOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 1024}])",
          config::Quotes::allowed};
}

// Who may use a file, in octal as chmod(1) has it.
struct FileMode {
  std::uint32_t bits = 0660;
};
std::expected<void, std::string> parse_scalar(std::string_view text, FileMode& out);
std::string print_scalar(FileMode value);
constexpr config::ScalarInfo scalar_info(std::type_identity<FileMode>) {
  return {"three octal digits", "660", R"("type": ["string", "integer"], "pattern": "^[0-7]{3}$")",
          config::Quotes::allowed};
}

struct AdminSettings {
  config::Located<net::Address> address{*net::Address::parse("127.0.0.1:9900")};
  FileMode mode;
};

template <class V>
void describe(V& v, AdminSettings& s) {
  v.field("address", s.address,
          "Where metrics, health and the API are served. The default being taken is a warning.");
  v.field("mode", s.mode, "Who may connect to a unix socket: owner, group, others.");
}

struct ProcessTimeouts {
  Duration shutdown = 30s;
};

template <class V>
void describe(V& v, ProcessTimeouts& s) {
  v.field("shutdown", s.shutdown,
          "How long exchanges and tunnels may go on after SIGTERM before they are cut.")
      .range(0s, 24h);
}

struct BackendEntry : backend::BackendSettings {
  std::vector<proxy::FilterEntry> filters;
};

template <class V>
void describe(V& v, BackendEntry& s) {
  describe(v, static_cast<backend::BackendSettings&>(s));
  v.field("filters", s.filters,
          "What requests to the backend pass, in this order, behind those of listener and route.");
}

struct Settings {
  std::optional<AdminSettings> admin;
  WorkerCount workers;
  std::optional<std::uint32_t> maxconn;
  std::optional<std::uint32_t> worker_connections;
  ByteCount worker_buffers{std::uint64_t{256} << 20};
  std::optional<std::uint32_t> worker_pipes;
  config::Located<std::string> zone;
  config::Located<std::string> geo_database;
  ProcessTimeouts timeouts;
  discovery::ResolverSettings resolver;
  std::vector<proxy::ListenerSettings> listeners;
  std::vector<BackendEntry> backends;
};

template <class V>
void describe(V& v, Settings& s) {
  v.field("admin", s.admin, "The admin API.");
  v.field("workers", s.workers,
          "Worker threads; `auto` is one for each CPU that the process may use (affinity and the "
          "cgroup's quota).");
  v.field("maxconn", s.maxconn,
          "Client connections of the process at a time, over all workers (each worker may accept "
          "one too many); more wait in the kernel's queue. Without it, worker_connections alone "
          "is the limit.")
      .range(1, 100'000'000);
  v.field(
       "worker_connections", s.worker_connections,
       "Client connections of one worker at a time; more wait in the kernel's queue. Without it, "
       "what the limit of open files allows.")
      .range(1, 1'000'000);
  v.field("worker_buffers", s.worker_buffers, "Memory of one worker for bytes on their way.")
      .range(ByteCount{1 << 20}, ByteCount{std::uint64_t{64} << 30});
  v.field("worker_pipes", s.worker_pipes,
          "Pipes of one worker at a time, through which long bodies and tunnels go without being "
          "copied (splice); 0: all are copied. Without it one for 16 connections that the limit of "
          "open files allows, at most 256.")
      .range(0, 100'000);
  v.field("zone", s.zone, "Where this process runs; see `cross_zone` of backends.").length_max(128);
  v.field(
      "geo_database", s.geo_database,
      "A file in MaxMind's DB format that says where clients are; see `location` of servers. It "
      "is read at the start and at each reload. It may be replaced meanwhile.");
  v.field("timeouts", s.timeouts, "How long the process may take.");
  v.field("resolver", s.resolver, "How host names of servers are resolved.");
  v.field("listeners", s.listeners, "Where clients connect to.").required().size(1, 10'000);
  v.field("backends", s.backends, "Who answers.").required().size(1, 100'000);
}

}  // namespace weir::app
