#pragma once
// What TCP does for connections, beyond the kernel's defaults (tcp(7)): settings of listeners and
// backends. Those of a listener are set once on its listening sockets, which connections inherit.

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "config/description.h"

namespace weir::net {

using namespace std::chrono_literals;

struct KeepAliveSettings {
  Duration idle = 30s;
  Duration interval = 10s;
  std::uint32_t count = 3;
  friend bool operator==(const KeepAliveSettings&, const KeepAliveSettings&) = default;
};

template <class V>
void describe(V& v, KeepAliveSettings& s) {
  v.field("idle", s.idle, "How long a connection may be silent before its peer is probed.")
      .range(1s, 32'767s);
  v.field("interval", s.interval, "Time between two probes.").range(1s, 32'767s);
  v.field("count", s.count, "Probes without an answer after which the connection is given up.")
      .range(1, 127);
}

// The name of an algorithm, as the kernel has it.
struct CongestionControl {
  std::array<char, 16> name{};
  std::string_view text() const noexcept WEIR_LIFETIMEBOUND { return name.data(); }
  friend bool operator==(const CongestionControl&, const CongestionControl&) = default;
};
std::expected<void, std::string> parse_scalar(std::string_view text, CongestionControl& out);
std::string print_scalar(const CongestionControl& value);
constexpr config::ScalarInfo scalar_info(std::type_identity<CongestionControl>) {
  return {"the name of an algorithm", "cubic or bbr",
          R"("type": "string", "pattern": "^[a-z0-9_-]{1,15}$")", config::Quotes::allowed};
}

struct TcpSettings {
  std::optional<KeepAliveSettings> keep_alive;
  std::optional<Duration> user_timeout;
  std::optional<CongestionControl> congestion_control;
  friend bool operator==(const TcpSettings&, const TcpSettings&) = default;
};

template <class V>
void describe(V& v, TcpSettings& s) {
  v.field("keep_alive", s.keep_alive,
          "How dead peers of silent connections are found. Without it, clients and the servers of "
          "tunnels are probed after 30 s, other servers never.");
  v.field("user_timeout", s.user_timeout,
          "How long sent bytes may go unacknowledged before the connection is given up; without "
          "it, as long as the kernel sends them again, some 15 minutes.")
      .range(1ms, 24h);
  v.field("congestion_control", s.congestion_control,
          "The algorithm of congestion control; without it, the kernel's.");
}

struct ListenerTcpSettings : TcpSettings {
  std::optional<std::uint32_t> fast_open;
  std::optional<Duration> defer_accept;
  friend bool operator==(const ListenerTcpSettings&, const ListenerTcpSettings&) = default;
};

template <class V>
void describe(V& v, ListenerTcpSettings& s) {
  describe(v, static_cast<TcpSettings&>(s));
  v.field("fast_open", s.fast_open,
          "Connections that may bring bytes in their first packet (RFC 7413) at a time. Such bytes "
          "may come twice.")
      .range(1, 65'535);
  v.field("defer_accept", s.defer_accept,
          "How long a connection that has sent nothing yet is left to the kernel; for protocols in "
          "which clients speak first.")
      .range(1s, 10min);
}

// Sets what is written, nothing else, on a socket that is not connected yet; none of a unix socket.
void set_options(int fd, const TcpSettings& settings) noexcept;
// Sets everything on a listening socket: what is not written as it is by default.
void set_options(int fd, const ListenerTcpSettings& settings) noexcept;
// Whether this kernel and process have what is written. The error is a sentence with a remedy.
std::expected<void, std::string> check_available(const TcpSettings& settings);

// Has the kernel find out within a minute that the peer of an idle connection is gone: the defaults
// of KeepAliveSettings.
void keep_alive(int fd) noexcept;

}  // namespace weir::net
