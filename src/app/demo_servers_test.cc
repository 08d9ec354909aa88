#include "app/demo_servers.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace weir::app {
namespace {

Fd connect_to(const net::Address& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(fd.get(), address.view().address, address.view().length), 0);
  return fd;
}

std::string ask(const net::Address& address, const std::string& request_line) {
  const Fd fd = connect_to(address);
  const std::string request = request_line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  char bytes[4096];
  for (ssize_t count; (count = ::recv(fd.get(), bytes, sizeof bytes, 0)) > 0;) {
    answer.append(bytes, static_cast<std::size_t>(count));
  }
  return answer;
}

std::string body_of(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

TEST(DemoServers, EachSaysItsName) {
  const auto servers = DemoServers::start(3).value();
  const std::vector<net::Address> addresses = servers->addresses();
  ASSERT_EQ(addresses.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(body_of(ask(addresses[i], "GET /a?b")),
              "Hello from demo-" + std::to_string(i + 1) + ": GET /a?b\n");
    EXPECT_EQ(body_of(ask(addresses[i], "POST /")),
              "Hello from demo-" + std::to_string(i + 1) + ": POST /\n");
  }
}

TEST(DemoServers, AreHealthy) {
  const auto servers = DemoServers::start(1).value();
  const std::string answer = ask(servers->addresses().front(), "GET /health");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(body_of(answer), "ok\n");
}

TEST(DemoServers, EndWhileClientsAreConnected) {
  auto servers = DemoServers::start(2).value();
  const net::Address address = servers->addresses().front();
  const Fd idle = connect_to(address);
  const Fd half = connect_to(address);
  ASSERT_EQ(::send(half.get(), "GET ", 4, MSG_NOSIGNAL), 4);
  ask(address, "GET /");
  servers.reset();
  char byte;
  EXPECT_LE(::recv(idle.get(), &byte, 1, 0), 0);
  EXPECT_LE(::recv(half.get(), &byte, 1, 0), 0);
  const Fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_NE(::connect(late.get(), address.view().address, address.view().length), 0);
}

}  // namespace
}  // namespace weir::app
