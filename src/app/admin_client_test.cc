#include "app/admin_client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

#include "app/demo_servers.h"
#include "net/net_test_support.h"
#include "runtime/reactor_test_support.h"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

std::string unix_path() {
  return testing::TempDir() + "weir_admin_client_" + std::to_string(::getpid()) + ".sock";
}

// A blocking server that gives one client one answer, whatever it asks, and closes.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer)
      : listening_(net::open_listening_sockets(*net::Address::parse("127.0.0.1:0"), 1).value()),
        thread_([this, answer = std::move(answer)] { serve(answer); }) {}
  ~OneAnswer() { thread_.join(); }

  const net::Address& address() const { return listening_.address; }

 private:
  void serve(const std::string& answer) {
    pollfd poll_entry{.fd = listening_.sockets.front().get(), .events = POLLIN, .revents = 0};
    ::poll(&poll_entry, 1, 20'000);
    const Fd client(::accept(poll_entry.fd, nullptr, nullptr));
    if (!client.is_open()) return;
    char byte = 0;
    for (std::string head; !head.ends_with("\r\n\r\n") && ::recv(client.get(), &byte, 1, 0) == 1;) {
      head += byte;
    }
    ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }

  net::ListeningSockets listening_;
  std::thread thread_;
};

TEST(AdminClient, AsksOverTcp) {
  const auto servers = DemoServers::start(1).value();
  const AdminRequest request{.method = "PATCH", .target = "/a?b=%20", .body = "{}"};
  const auto answer = ask_admin(servers->addresses().front(), request);
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "Hello from demo-1: PATCH /a?b=%20\n");
}

TEST(AdminClient, AsksOverAUnixSocket) {
  const std::string path = unix_path();
  const net::Address address = *net::Address::parse("unix:" + path);
  std::vector<net::ListeningSockets> sockets;
  sockets.push_back(net::open_listening_sockets(address, 1).value());
  {
    const DemoServers servers(
        Worker::make(reactor_under_test(), 0, std::size_t{16} << 20, 0).value(),
        std::move(sockets));
    const auto answer = ask_admin(address, {.method = "GET", .target = "/x"});
    ASSERT_TRUE(answer) << answer.error();
    EXPECT_EQ(answer->body, "Hello from demo-1: GET /x\n");
  }
  ::unlink(path.c_str());
}

TEST(AdminClient, SaysThatNobodyListens) {
  const net::test::ClosedPort closed;
  EXPECT_EQ(ask_admin(closed.address, {.method = "GET", .target = "/"}).error(),
            "Connection refused");
  const auto missing = ask_admin(*net::Address::parse("unix:" + unix_path() + ".none"),
                                 {.method = "GET", .target = "/"});
  EXPECT_EQ(missing.error(), "No such file or directory");
}

TEST(AdminClient, DoesNotWaitForEver) {
  // The kernel accepts the connection, and nobody serves it.
  const auto listening = net::open_listening_sockets(*net::Address::parse("127.0.0.1:0"), 1);
  const auto answer =
      ask_admin(listening->address, {.method = "GET", .target = "/", .timeout = 10ms});
  EXPECT_EQ(answer.error(), "Connection timed out");
}

TEST(AdminClient, ReadsWhetherAnExplainedRequestIsServed) {
  for (const bool is_served : {true, false}) {
    const OneAnswer server(
        "HTTP/1.1 200 OK\r\nWeir-Served: " + std::string(is_served ? "yes" : "no") +
        "\r\nContent-Length: 2\r\n\r\nok");
    const auto answer = ask_admin(server.address(), {.method = "GET", .target = "/"});
    ASSERT_TRUE(answer) << answer.error();
    EXPECT_EQ(answer->is_served, is_served);
  }
}

TEST(AdminClient, RefusesWhatIsNoAnswerOrCutOff) {
  for (const char* answer : {"SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
                             "HTTP/1.1 200 OK\r\n\r\nab", "HTTP/1.1 200 OK\r\nContent-L"}) {
    const OneAnswer server(answer);
    EXPECT_EQ(ask_admin(server.address(), {.method = "GET", .target = "/"}).error(),
              "what answers there is no admin API of Weir")
        << answer;
  }
  const OneAnswer server("");
  EXPECT_EQ(ask_admin(server.address(), {.method = "GET", .target = "/"}).error(),
            "the connection was closed without an answer");
}

}  // namespace
}  // namespace weir::app
