#include "net/tcp_settings.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/fd.h"

namespace weir::net {
namespace {

void set_option(int fd, int level, int option, int value) noexcept {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

// The kernel counts in whole seconds.
int whole_seconds(Duration duration) noexcept {
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

int milliseconds(Duration duration) noexcept {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

void set_keep_alive(int fd, const KeepAliveSettings& settings) noexcept {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(settings.idle));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(settings.interval));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(settings.count));
}

bool set_congestion_control(int fd, std::string_view name) noexcept {
  return ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                      static_cast<socklen_t>(name.size())) == 0;
}

// What a socket has that nobody has changed.
CongestionControl default_congestion_control() noexcept {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CongestionControl found;
  socklen_t length = sizeof found.name;
  ::getsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, found.name.data(), &length);
  return found;
}

std::string available_congestion_controls() {
  std::ifstream file("/proc/sys/net/ipv4/tcp_available_congestion_control");
  std::string names;
  std::getline(file, names);
  return names;
}

}  // namespace

std::expected<void, std::string> parse_scalar(std::string_view text, CongestionControl& out) {
  const auto may_be = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (text.empty() || text.size() >= out.name.size() || !std::ranges::all_of(text, may_be)) {
    return std::unexpected(std::string());
  }
  out.name = {};
  std::ranges::copy(text, out.name.begin());
  return {};
}

std::string print_scalar(const CongestionControl& value) { return std::string(value.text()); }

void set_options(int fd, const TcpSettings& settings) noexcept {
  if (settings.keep_alive) set_keep_alive(fd, *settings.keep_alive);
  if (settings.user_timeout) {
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds(*settings.user_timeout));
  }
  if (settings.congestion_control) {
    set_congestion_control(fd, settings.congestion_control->text());
  }
}

void set_options(int fd, const ListenerTcpSettings& settings) noexcept {
  set_keep_alive(fd, settings.keep_alive.value_or(KeepAliveSettings()));
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds(settings.user_timeout.value_or(0s)));
  set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, static_cast<int>(settings.fast_open.value_or(0)));
  set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, whole_seconds(settings.defer_accept.value_or(0s)));
  const CongestionControl algorithm =
      settings.congestion_control ? *settings.congestion_control : default_congestion_control();
  set_congestion_control(fd, algorithm.text());
}

std::expected<void, std::string> check_available(const TcpSettings& settings) {
  if (!settings.congestion_control) return {};
  const std::string_view name = settings.congestion_control->text();
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (set_congestion_control(fd.get(), name)) return {};
  if (errno == EPERM) {
    return std::unexpected(
        fmt::format("no permission for congestion_control {}; add it to "
                    "net.ipv4.tcp_allowed_congestion_control with sysctl, or give Weir "
                    "CAP_NET_ADMIN",
                    name));
  }
  if (errno == ENOENT) {
    return std::unexpected(
        fmt::format("the kernel has no congestion_control {}: it has {}; see 'modprobe tcp_{}'",
                    name, available_congestion_controls(), name));
  }
  return std::unexpected(
      fmt::format("cannot set congestion_control {}: {}", name, std::strerror(errno)));
}

void keep_alive(int fd) noexcept { set_keep_alive(fd, KeepAliveSettings()); }

}  // namespace weir::net
