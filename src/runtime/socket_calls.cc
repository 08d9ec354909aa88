#include "runtime/socket_calls.h"

#include <algorithm>
#include <ctime>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace weir {
namespace {

IoCount splice_some(int from, int to, std::size_t bytes_max) noexcept {
  // More than a pipe holds; what is asked for must not overflow its count.
  constexpr std::size_t kAtOnceMax = std::size_t{1} << 30;
  ssize_t count;
  do {
    count = ::splice(from, nullptr, to, nullptr, std::min(bytes_max, kAtOnceMax),
                     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? IoCount::failed(errno) : IoCount::of(static_cast<std::size_t>(count));
}

}  // namespace

Result<Fd> open_stream_socket(int family) noexcept {
  Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) {
    const bool exhausted = errno == EMFILE || errno == ENFILE;
    return fail(exhausted ? ErrorKind::descriptors_exhausted : ErrorKind::io, Side::weir, errno);
  }
  if (family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return fd;
}

int begin_connect(int fd, SocketAddressView address) noexcept {
  if (::connect(fd, address.address, address.length) == 0) return 0;
  // A full backlog of a unix socket says EAGAIN: nobody will tell when there is room.
  return errno == EAGAIN ? ECONNREFUSED : errno;
}

int end_connect(int fd, std::uint32_t events) noexcept {
  if ((events & (POLLERR | POLLHUP | POLLRDHUP)) == 0) return 0;
  int os_error = 0;
  socklen_t length = sizeof os_error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &os_error, &length);
  if (os_error == 0 && (events & (POLLERR | POLLHUP)) != 0) return ECONNRESET;
  return os_error;
}

// Who was gone before being accepted (accept(2)) is passed over.
Fd accept_connection(int fd, sockaddr_storage& peer) noexcept {
  for (;;) {
    peer = {};  // the address of an unnamed unix socket is its family alone
    socklen_t length = sizeof peer;
    Fd connection(
        ::accept4(fd, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection.is_open()) return connection;
    if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) return connection;
  }
}

bool has_queued(int fd) noexcept {
  pollfd queue{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&queue, 1, 0) > 0;
}

IoCount receive_some(int fd, std::span<char> into) noexcept {
  ssize_t count;
  do {
    count = ::recv(fd, into.data(), into.size(), 0);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? IoCount::failed(errno) : IoCount::of(static_cast<std::size_t>(count));
}

bool would_receive_block(int fd) noexcept {
  char byte;
  return ::recv(fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

IoCount send_some(int fd, std::span<const iovec> parts) noexcept {
  ssize_t count;
  do {
    if (parts.size() == 1) {
      count = ::send(fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(parts.data());
      message.msg_iovlen = parts.size();
      count = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    }
  } while (count < 0 && errno == EINTR);
  return count < 0 ? IoCount::failed(errno) : IoCount::of(static_cast<std::size_t>(count));
}

IoCount end_of_stream(int send_error) noexcept {
  const bool is_reset = send_error != 0 && send_error != EPIPE;
  return is_reset ? IoCount::failed(send_error) : IoCount::of(0);
}

IoCount splice_in(int fd, Pipe& into, std::size_t bytes_max) noexcept {
  WEIR_ASSERT(into.held() == 0);
  const IoCount count = splice_some(fd, into.write_end(), bytes_max);
  if (!count.is_would_block() && !count.is_failure()) into.put(count.bytes());
  return count;
}

IoCount splice_out(int fd, Pipe& from) noexcept {
  WEIR_ASSERT(from.held() != 0);
  const IoCount count = splice_some(from.read_end(), fd, from.held());
  if (!count.is_would_block() && !count.is_failure()) from.take_out(count.bytes());
  return count;
}

IoCount copy_in(std::span<const char> data, Pipe& into) noexcept {
  WEIR_ASSERT(into.held() == 0);
  const ssize_t count = ::write(into.write_end(), data.data(), data.size());
  if (count < 0) return IoCount::failed(errno);
  into.put(static_cast<std::size_t>(count));
  return IoCount::of(static_cast<std::size_t>(count));
}

void linger_for_nothing(int fd) noexcept {
  const linger nothing{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &nothing, sizeof nothing);
}

int count_untaken(int fd) noexcept {
  int bytes = 0;
  ::ioctl(fd, SIOCOUTQ, &bytes);
  return bytes;
}

bool send_now(Reactor& reactor, Socket& socket, SendOperation& operation) noexcept {
  while (operation.sent < operation.message.size()) {
    const auto rest = operation.message.subspan(operation.sent);
    const iovec part{const_cast<char*>(rest.data()), rest.size()};
    const IoCount count = reactor.try_send(socket, {&part, 1});
    if (count.is_would_block()) return false;
    if (count.is_failure()) {
      operation.end(count.os_error());
      return true;
    }
    operation.sent += count.bytes();
  }
  operation.end(0);
  return true;
}

TimePoint read_monotonic_clock() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return TimePoint(std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec));
}

WallTime read_wall_clock() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return WallTime(std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec));
}

}  // namespace weir
