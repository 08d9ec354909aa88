#include "net/tcp_settings.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "net/source_address.h"

namespace weir::net {
namespace {

int option_of(const Fd& fd, int level, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(fd.get(), level, option, &value, &length), 0);
  return value;
}

Fd make_socket() { return Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

CongestionControl algorithm(std::string_view name) {
  CongestionControl parsed;
  EXPECT_TRUE(parse_scalar(name, parsed));
  return parsed;
}

CongestionControl algorithm_of(const Fd& fd) {
  CongestionControl found;
  socklen_t length = sizeof found.name;
  EXPECT_EQ(::getsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, found.name.data(), &length), 0);
  return found;
}

TEST(TcpSettings, OnlyWhatIsWrittenIsSetOnAConnection) {
  const Fd plain = make_socket();
  set_options(plain.get(), TcpSettings());
  EXPECT_EQ(option_of(plain, SOL_SOCKET, SO_KEEPALIVE), 0);
  const Fd fd = make_socket();
  TcpSettings settings;
  settings.keep_alive = {.idle = 61s, .interval = 1500ms, .count = 7};
  settings.user_timeout = 2500ms;
  settings.congestion_control = algorithm("reno");
  set_options(fd.get(), settings);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 61);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 2);  // never less than is written
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 7);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 2500);
  EXPECT_EQ(algorithm_of(fd), algorithm("reno"));
}

TEST(TcpSettings, AListenerForgetsWhatIsNoLongerWritten) {
  const Fd fd = make_socket();
  const CongestionControl by_default = algorithm_of(fd);
  ListenerTcpSettings settings;
  settings.user_timeout = 5s;
  settings.congestion_control = algorithm("reno");
  settings.fast_open = 16;
  settings.defer_accept = 3s;
  set_options(fd.get(), settings);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_FASTOPEN), 16);
  EXPECT_GE(option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 3);
  set_options(fd.get(), ListenerTcpSettings());
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_FASTOPEN), 0);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(algorithm_of(fd), by_default);
}

TEST(TcpSettings, AnAlgorithmThatTheKernelDoesNotHaveIsAnError) {
  TcpSettings settings;
  EXPECT_TRUE(check_available(settings));
  settings.congestion_control = algorithm("reno");
  EXPECT_TRUE(check_available(settings));
  settings.congestion_control = algorithm("no_such_thing");
  const auto checked = check_available(settings);
  ASSERT_FALSE(checked);
  EXPECT_TRUE(
      checked.error().starts_with("the kernel has no congestion_control no_such_thing: it has "))
      << checked.error();
}

TEST(TcpSettings, ANameOfAnAlgorithmIsShortAndPlain) {
  CongestionControl out;
  for (const char* good : {"bbr", "cubic", "bbr2", "a-b_c", "fifteen_letters"}) {
    ASSERT_TRUE(parse_scalar(good, out)) << good;
    EXPECT_EQ(print_scalar(out), good);
  }
  for (const char* bad : {"", "BBR", "b b", "sixteen_letters_", "../bbr"}) {
    EXPECT_FALSE(parse_scalar(bad, out)) << bad;
  }
}

TEST(SourceAddress, IsAnAddressWithoutAPort) {
  SourceAddress out;
  for (const char* good : {"127.0.0.1", "2001:db8::1", "::1"}) {
    ASSERT_TRUE(parse_scalar(good, out)) << good;
    EXPECT_EQ(print_scalar(out), good);
    EXPECT_EQ(out.address.port(), 0);
  }
  for (const char* bad : {"", "127.0.0.1:80", "[::1]", "unix:/x", "localhost"}) {
    EXPECT_FALSE(parse_scalar(bad, out)) << bad;
  }
}

TEST(SourceAddress, TakesAPortOnlyWithTheConnection) {
  SourceAddress source;
  ASSERT_TRUE(parse_scalar("127.0.0.9", source));
  const Fd fd = make_socket();
  ASSERT_EQ(bind_source(fd.get(), source), 0);
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length), 0);
  EXPECT_EQ(Address(storage), source.address);
}

TEST(SourceAddress, SaysWhatIsNoAddressOfThisMachine) {
  SourceAddress source;
  ASSERT_TRUE(parse_scalar("192.0.2.1", source));
  const Fd fd = make_socket();
  EXPECT_EQ(bind_source(fd.get(), source), EADDRNOTAVAIL);
}

}  // namespace
}  // namespace weir::net
