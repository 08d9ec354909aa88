#pragma once
// Draft: what the file would say that Weir is configured with; drawn by lot, changed by lot, and
// written as YAML.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"

namespace weir::sim {

inline constexpr std::uint16_t kHttpPort = 80;
inline constexpr std::uint16_t kMuxPort = 81;
inline constexpr std::uint16_t kExtraPort = 82;  // of a listener that comes and goes
inline constexpr std::uint16_t kTcpPort = 5000;

// The hosts that servers may be on: those of HTTP have the numbers from 2, the others follow.
struct Members {
  std::size_t web = 1;
  std::size_t db = 1;
  // Streams on a connection to each of web that speaks the multiplexed protocol; 0: HTTP/1.
  std::array<std::uint16_t, 5> streams_max{};
};

struct ServerDraft {
  std::string name;
  std::size_t member = 0;  // the host, by its place among those of its kind
  std::uint32_t weight = 1;
  bool is_backup = false;
  std::uint32_t maxconn = 0;  // 0: no limit
};

struct BackendDraft {
  std::string name;
  std::size_t balance = 0;  // place in balance::pickers()
  std::uint32_t attempts = 3;
  std::uint32_t backoff_ms = 0;
  std::uint32_t connect_ms = 2000;
  std::uint32_t answer_ms = 5000;  // response_head and server_body
  std::uint32_t queue_ms = 10'000;
  std::uint32_t queue_length = 1024;
  std::uint32_t idle_max = 0;
  std::uint32_t idle_ms = 1;
  std::uint32_t refused_pause_ms = 1000;
  std::uint32_t drain_ms = 300'000;
  std::vector<ServerDraft> servers;
};

class Draft {
 public:
  Draft(Random& random, std::uint32_t workers, Members members);

  // Changes something, or several things.
  void change();
  std::string print() const;

  // The backends of all HTTP listeners; of two, each gets a share.
  const std::vector<std::string>& http_backends() const noexcept { return http_backends_; }
  bool has_extra_listener() const noexcept { return has_extra_; }

 private:
  bool chance(std::uint32_t permille) noexcept { return random_.below(1000) < permille; }
  std::size_t members_of(const BackendDraft& backend) const noexcept;
  BackendDraft draw_backend(std::string name);
  void add_server(BackendDraft& backend);
  std::uint32_t draw_maxconn() noexcept;
  void draw_queue(BackendDraft& backend) noexcept;
  void draw_pool(BackendDraft& backend) noexcept;
  void change_something();
  void change_server(BackendDraft& backend);
  void change_servers(BackendDraft& backend);
  void change_settings(BackendDraft& backend);
  void change_http_backends();
  std::string print_http_backends() const;
  std::string print(const BackendDraft& backend) const;

  Random& random_;
  std::uint32_t workers_;
  Members members_;
  bool has_limits_;   // of leases; with queues
  bool drains_soon_;  // what is under way on a removed server is cut soon
  bool varies_attempts_;
  std::uint32_t attempts_;
  std::uint32_t keep_alive_s_ = 10;
  bool has_extra_;
  bool has_filters_;
  bool stores_bodies_;
  std::vector<std::string> http_backends_ = {"web"};
  std::vector<std::uint32_t> shares_ = {1, 0};  // of two
  bool splits_by_client_ = false;
  std::vector<BackendDraft> backends_;
  std::uint32_t next_server_ = 0;
};

}  // namespace weir::sim
