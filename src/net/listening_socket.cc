#include "net/listening_socket.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace weir::net {
namespace {

constexpr int kBacklog = 65535;  // the kernel caps it at net.core.somaxconn

std::unexpected<std::string> explain(const Address& address, int os_error) {
  const std::string port = std::to_string(address.port());
  std::string text = "cannot listen on " + address.to_string() + ": ";
  switch (os_error) {
    case EADDRINUSE:
      text += "the address is in use by another program; see which with ";
      text += address.is_unix() ? "'ss -lxp'" : "'ss -ltnp sport = :" + port + "'";
      text += ", stop it or choose another " + std::string(address.is_unix() ? "path" : "port");
      break;
    case EACCES:
      text +=
          "no permission; ports below 1024 need root or CAP_NET_BIND_SERVICE "
          "(setcap cap_net_bind_service=+ep weir), or choose a higher port";
      break;
    case EADDRNOTAVAIL:
      text += "no interface of this machine has that address; see 'ip addr'";
      break;
    case EMFILE:
    case ENFILE:
      text += "no file descriptor is left; raise the limit with 'ulimit -n'";
      break;
    default:
      text += std::strerror(os_error);
  }
  return std::unexpected(text);
}

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

Fd make_socket(const Address& address, const ListenOptions& options) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open() || address.is_unix()) return fd;
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);  // accepted sockets inherit both
  set_options(fd.get(), options.tcp);
  if (address.family() == AF_INET6) {
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0);
  }
  return fd;
}

bool bind_to(int fd, const Address& address) {
  return ::bind(fd, address.view().address, address.view().length) == 0;
}

// A unix socket that nobody listens on any more is a file that a former process left behind.
bool bind_over_leftover(int fd, const Address& address) {
  if (errno != EADDRINUSE || !address.is_unix()) return false;
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool is_left_over =
      probe.is_open() &&
      ::connect(probe.get(), address.view().address, address.view().length) != 0 &&
      errno == ECONNREFUSED;
  const auto& path = reinterpret_cast<const sockaddr_un*>(address.view().address)->sun_path;
  if (is_left_over && ::unlink(path) == 0) return bind_to(fd, address);
  errno = EADDRINUSE;
  return false;
}

Address local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return Address(storage);
}

}  // namespace

std::expected<ListeningSockets, std::string> open_listening_sockets(const Address& address,
                                                                    std::size_t count,
                                                                    const ListenOptions& options) {
  ListeningSockets opened;
  opened.address = address;
  for (std::size_t i = 0; i < count; ++i) {
    Fd fd;
    if (i > 0 && address.is_unix()) {
      fd = Fd(::fcntl(opened.sockets.front().get(), F_DUPFD_CLOEXEC, 0));
      if (!fd.is_open()) return explain(address, errno);
      opened.sockets.push_back(std::move(fd));
      continue;
    }
    fd = make_socket(address, options);
    if (!fd.is_open()) return explain(address, errno);
    // The first bind is made without SO_REUSEPORT: with it, a second process of the same user would
    // share the port without a word.
    if (i > 0) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    if (!bind_to(fd.get(), opened.address) && !bind_over_leftover(fd.get(), opened.address)) {
      return explain(opened.address, errno);
    }
    if (i == 0) {
      if (count > 1 && !address.is_unix()) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
      if (!address.is_unix()) opened.address = local_address(fd.get());
    }
    if (::listen(fd.get(), kBacklog) != 0) return explain(opened.address, errno);
    opened.sockets.push_back(std::move(fd));
  }
  return opened;
}

void hold_off_new_connections(int fd) noexcept {
  // Only what opens a connection: the last packet of a handshake under way has to come through, for
  // its client may be sending its request already.
  constexpr std::uint32_t kFlagsOffset = 13;  // in the TCP header, at which a packet begins here
  constexpr std::uint32_t kSynAndAck = 0x12;
  constexpr std::uint32_t kSyn = 0x02;
  sock_filter drop_syn[] = {
      {.code = BPF_LD | BPF_B | BPF_ABS, .jt = 0, .jf = 0, .k = kFlagsOffset},
      {.code = BPF_ALU | BPF_AND | BPF_K, .jt = 0, .jf = 0, .k = kSynAndAck},
      {.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = 1, .k = kSyn},
      {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0},
      {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = UINT32_MAX},
  };
  const sock_fprog program{.len = std::size(drop_syn), .filter = drop_syn};
  ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

}  // namespace weir::net
