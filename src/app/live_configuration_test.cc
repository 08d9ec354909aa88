// With worker threads on the real reactor, and servers on loopback.

#include "app/live_configuration.h"

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <cstdio>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <set>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "app/compile.h"
#include "base/random.h"
#include "runtime/reactor_test_support.h"

namespace weir::app {
namespace {

using namespace std::chrono_literals;

net::Address address_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  return net::Address(address);
}

// Bound to a free port of 127.0.0.1; nobody else gets that as long as it is open.
Fd bind_socket() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const net::Address any = net::Address::parse("127.0.0.1:0").value();
  EXPECT_EQ(::bind(fd.get(), any.view().address, any.view().length), 0);
  return fd;
}

// Greets each connection with its name, and echoes nothing.
class Greeter {
 public:
  explicit Greeter(std::string name) : name_(std::move(name)), socket_(bind_socket()) {
    EXPECT_EQ(::listen(socket_.get(), 1024), 0);
    address_ = address_of(socket_.get());
    thread_ = std::thread([this] { run(); });
  }
  Greeter(const Greeter&) = delete;
  ~Greeter() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  const std::string& name() const { return name_; }
  std::string address() const { return address_.to_string(); }

 private:
  void run() {
    for (;;) {
      const Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.is_open()) return;
      ::send(client.get(), name_.data(), name_.size(), MSG_NOSIGNAL);
    }
  }

  std::string name_;
  Fd socket_;
  net::Address address_;
  std::thread thread_;
};

// What whoever connects is greeted with; empty: refused, or cut.
std::string greeting_of(const net::Address& address) {
  const Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), address.view().address, address.view().length) != 0) return {};
  std::string text;
  char block[64];
  for (;;) {
    pollfd readable{.fd = fd.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, 20'000) != 1) return {};
    const ssize_t count = ::recv(fd.get(), block, sizeof block, 0);
    if (count < 0) return {};
    if (count == 0) return text;
    text.append(block, static_cast<std::size_t>(count));
  }
}

class LiveConfigurationTest : public testing::Test {
 protected:
  LiveConfigurationTest() : file_(testing::TempDir() + fmt::format("weir-live-{}", ::getpid())) {}
  ~LiveConfigurationTest() override {
    stop();
    std::remove(file_.c_str());
  }

  // Listeners and backends as YAML; no access log, so that each is one line.
  static std::string listener(const std::string& name, const std::string& address,
                              const std::string& backend) {
    return fmt::format(
        "  - {{ name: {}, address: \"{}\", protocol: tcp, backend: {}, access_log: {{ format: off "
        "}} }}\n",
        name, address, backend);
  }
  static std::string server(const Greeter& greeter, const std::string& more = {}) {
    return fmt::format("      - {{ name: {}, address: \"{}\"{} }}\n", greeter.name(),
                       greeter.address(), more);
  }
  static std::string backend(const std::string& name, const std::string& servers) {
    return fmt::format("  - name: {}\n    servers:\n{}", name, servers);
  }
  void write(const std::string& listeners, const std::string& backends,
             const std::string& more = {}) {
    std::FILE* file = std::fopen(file_.c_str(), "w");
    ASSERT_NE(file, nullptr);
    fmt::print(file, "listeners:\n{}backends:\n{}{}", listeners, backends, more);
    std::fclose(file);
  }
  void start(std::uint32_t workers = 2) {
    config::Problems problems;
    const config::Document document = config::load_document(file_, problems);
    Settings settings = load_settings(document, problems);
    ASSERT_FALSE(problems.has_errors()) << config::print(problems, document);
    registry_ = std::make_unique<stats::Registry>(workers);
    shared_ = std::make_unique<proxy::ProxyShared>(*registry_, file_jobs_);
    log_ = std::make_unique<AccessLogWriter>();
    live_ = std::make_unique<LiveConfiguration>(std::move(settings), file_, *registry_, *log_);
    const auto prepared = live_->prepare();
    ASSERT_TRUE(prepared) << prepared.error();
    for (std::uint32_t index = 0; index < workers; ++index) {
      auto worker = Worker::make(reactor_under_test(), index, std::size_t{16} << 20, index + 1);
      ASSERT_TRUE(worker);
      threads_.push_back(
          std::make_unique<WorkerThread>(std::move(*worker), *shared_, log_->add_ring(), 1000));
    }
    log_->start();
    for (auto& thread : threads_) thread->start();
    live_->serve(threads_);
  }
  void stop() {
    if (live_ == nullptr) return;
    live_->close();
    for (auto& thread : threads_) thread->drain();
    for (auto& thread : threads_) thread->abort_all();
    const auto is_over = [](const auto& thread) { return thread->is_over(); };
    while (!std::ranges::all_of(threads_, is_over)) std::this_thread::yield();
    threads_.clear();
    log_->stop();
    live_.reset();
  }

  net::Address address(std::size_t listener = 0) {
    return net::Address::parse(live_->listeners().at(listener).addresses.at(0)).value();
  }
  // Who greets in a few connections.
  std::set<std::string> greeters(int connections = 6) {
    std::set<std::string> names;
    for (int i = 0; i < connections; ++i) names.insert(greeting_of(address()));
    return names;
  }
  admin::Answered<void> add(const std::string& backend, const Greeter& greeter) {
    backend::ServerSettings server;
    server.name.value = greeter.name();
    server.address.address = net::Address::parse(greeter.address()).value();
    return live_->add_server(backend, server);
  }
  using Names = std::set<std::string>;

  Greeter a_{"a"};
  Greeter b_{"b"};
  std::string file_;
  std::unique_ptr<stats::Registry> registry_;
  Jobs file_jobs_{"files"};
  std::unique_ptr<proxy::ProxyShared> shared_;
  std::unique_ptr<AccessLogWriter> log_;
  std::unique_ptr<LiveConfiguration> live_;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
};

constexpr const char* kAny = "127.0.0.1:0";

TEST_F(LiveConfigurationTest, AServerIsAddedAndRemoved) {
  write(listener("l", kAny, "x"), backend("x", server(a_)));
  start();
  EXPECT_EQ(greeters(), Names{"a"});
  ASSERT_TRUE(add("x", b_));
  EXPECT_EQ(greeters(), (Names{"a", "b"}));
  EXPECT_TRUE(live_->backends()[0].servers[1].is_added);
  ASSERT_TRUE(live_->remove_server("x", "a"));
  EXPECT_EQ(greeters(), Names{"b"});
  // The file knows better.
  ASSERT_TRUE(live_->reload());
  EXPECT_EQ(greeters(), Names{"a"});
}

TEST_F(LiveConfigurationTest, AServerIsDrainedDisabledAndReadyAgain) {
  write(listener("l", kAny, "x"), backend("x", server(a_) + server(b_)));
  start();
  EXPECT_EQ(greeters(), (Names{"a", "b"}));
  for (const auto state : {backend::AdminState::draining, backend::AdminState::disabled}) {
    ASSERT_TRUE(live_->change_server("x", "a", {.weight = {}, .state = state}));
    EXPECT_EQ(greeters(), Names{"b"});
    ASSERT_TRUE(live_->reload());
    EXPECT_EQ(greeters(), Names{"b"});
  }
  ASSERT_TRUE(live_->change_server("x", "a", {.weight = {}, .state = backend::AdminState::ready}));
  EXPECT_EQ(greeters(), (Names{"a", "b"}));
}

TEST_F(LiveConfigurationTest, AWeightStaysUntilTheFileChangesItsOwn) {
  write(listener("l", kAny, "x"), backend("x", server(a_) + server(b_)));
  start();
  ASSERT_TRUE(live_->change_server("x", "a", {.weight = 0, .state = {}}));
  EXPECT_EQ(greeters(), Names{"b"});
  const auto report = live_->reload();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->changes.empty());
  ASSERT_EQ(report->warnings.size(), 1u);
  EXPECT_EQ(report->warnings[0], "server x/a keeps the weight 0 that was set at run time");
  EXPECT_EQ(greeters(), Names{"b"});
  write(listener("l", kAny, "x"), backend("x", server(a_, ", weight: 2") + server(b_)));
  ASSERT_TRUE(live_->reload());
  EXPECT_EQ(greeters(), (Names{"a", "b"}));
}

TEST_F(LiveConfigurationTest, WhatItDoesNotKnowIsRefusedWithTheNearestName) {
  write(listener("l", kAny, "users"), backend("users", server(a_)));
  start();
  const auto of_backend = live_->change_server("user", "a", {.weight = 1, .state = {}});
  ASSERT_FALSE(of_backend);
  EXPECT_EQ(of_backend.error().status, 404);
  EXPECT_EQ(of_backend.error().reason, "unknown_backend");
  EXPECT_NE(of_backend.error().message.find("'users'"), std::string::npos);
  const auto of_server = live_->remove_server("users", "b");
  ASSERT_FALSE(of_server);
  EXPECT_EQ(of_server.error().status, 404);
  EXPECT_EQ(of_server.error().reason, "unknown_server");
  EXPECT_EQ(add("nobody", b_).error().reason, "unknown_backend");
  EXPECT_EQ(live_->backend("usrs").error().message, "no backend 'usrs' (did you mean 'users'?)");
  EXPECT_EQ(live_->server("usrs", "a").error().message,
            "no backend 'usrs' (did you mean 'users'?)");
  EXPECT_EQ(live_->server("users", "b").error().message, "no server 'b' in backend 'users'");
}

TEST_F(LiveConfigurationTest, OneBackendAndOneServerAreAsInTheListOfAll) {
  write(listener("l", kAny, "x"),
        backend("x", server(a_)) + backend("y", server(b_, ", weight: 7") + server(a_)));
  start();
  const auto all = live_->backends();
  ASSERT_EQ(all.size(), 2u);
  const auto backend = live_->backend("y");
  ASSERT_TRUE(backend);
  EXPECT_EQ(backend->name, "y");
  EXPECT_EQ(backend->servers.size(), all[1].servers.size());
  const auto server = live_->server("y", "b");
  ASSERT_TRUE(server);
  EXPECT_EQ(server->backend, "y");
  EXPECT_EQ(server->name, "b");
  EXPECT_EQ(server->address, all[1].servers[0].address);
  EXPECT_EQ(server->weight, 7u);
}

TEST_F(LiveConfigurationTest, WhatCannotBeIsRefusedAndChangesNothing) {
  write(listener("l", kAny, "x"), backend("x", server(a_)));
  start();
  const auto before = live_->snapshot();
  const auto duplicate = add("x", a_);
  ASSERT_FALSE(duplicate);
  EXPECT_EQ(duplicate.error().status, 409);
  EXPECT_EQ(duplicate.error().reason, "duplicate_server");
  const auto last = live_->remove_server("x", "a");
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().status, 409);
  EXPECT_EQ(last.error().reason, "last_server");
  EXPECT_EQ(live_->snapshot(), before);
  EXPECT_EQ(greeters(), Names{"a"});
}

TEST_F(LiveConfigurationTest, OnceClosedItRefusesEveryChange) {
  write(listener("l", kAny, "x"), backend("x", server(a_) + server(b_)));
  start();
  live_->close();
  EXPECT_EQ(live_->reload().error().reason, "shutting_down");
  EXPECT_EQ(live_->remove_server("x", "a").error().reason, "shutting_down");
  EXPECT_EQ(live_->change_server("x", "a", {.weight = 1, .state = {}}).error().status, 503);
  EXPECT_EQ(add("x", a_).error().reason, "shutting_down");
  EXPECT_EQ(live_->backends()[0].servers.size(), 2u);
}

TEST_F(LiveConfigurationTest, AReloadWithErrorsChangesNothing) {
  write(listener("l", kAny, "x"), backend("x", server(a_)));
  start();
  const auto before = live_->snapshot();
  write(listener("l", kAny, "y"), backend("x", server(b_)));
  const auto refused = live_->reload();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 422);
  EXPECT_EQ(refused.error().reason, "bad_configuration");
  EXPECT_EQ(live_->snapshot(), before);
  EXPECT_EQ(greeters(), Names{"a"});
}

TEST_F(LiveConfigurationTest, WhatOnlyANewProcessCanHaveIsSaidByEveryReloadUntilTheFileGivesItUp) {
  write(listener("l", kAny, "x"), backend("x", server(a_)), "workers: 2\n");
  start();
  const auto reload = [this] { return live_->reload().value(); };
  using Lines = std::vector<std::string>;
  write(listener("l", kAny, "x"), backend("x", server(a_)), "workers: 3\nadmin: { mode: 600 }\n");
  for (int i = 0; i < 3; ++i) {
    const auto report = reload();
    EXPECT_EQ(report.changes, Lines());
    EXPECT_EQ(report.warnings, (Lines{"admin: added {mode: 600}: takes effect at the next start",
                                      "workers: 2 -> 3: takes effect at the next start"}));
  }
  ASSERT_TRUE(add("x", b_));
  write(listener("l", kAny, "x"), backend("x", server(a_)), "workers: 4\nmaxconn: 9\n");
  const auto report = reload();
  EXPECT_EQ(report.changes, (Lines{"maxconn: added 9", "backends[x].servers[b]: removed"}));
  EXPECT_EQ(report.warnings, Lines{"workers: 2 -> 4: takes effect at the next start"});
  write(listener("l", kAny, "x"), backend("x", server(a_)), "workers: 2\nmaxconn: 9\n");
  EXPECT_EQ(reload().warnings, Lines());
}

TEST_F(LiveConfigurationTest, AReportThatIsCutCountsTheChangesThatItDoesNotShow) {
  std::string before;
  std::string after;
  for (int i = 0; i < 103; ++i) {
    before += fmt::format("      - {{ name: s{}, address: \"127.0.0.1:1\" }}\n", i);
    after += fmt::format("      - {{ name: s{}, address: \"127.0.0.1:1\", weight: 2 }}\n", i);
  }
  write(listener("l", kAny, "x"), backend("x", before));
  start();
  write(listener("l", kAny, "x"), backend("x", after), "workers: 3\nworker_connections: 5\n");
  const auto report = live_->reload();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->warnings.size(), 2u);
  ASSERT_EQ(report->changes.size(), 101u);
  EXPECT_EQ(report->changes[99], "backends[x].servers[s99].weight: 1 -> 2");
  EXPECT_EQ(report->changes[100], "3 more");
}

TEST_F(LiveConfigurationTest, AReloadThatCannotListenChangesNothing) {
  const Fd taken = bind_socket();
  ASSERT_EQ(::listen(taken.get(), 1), 0);
  write(listener("l", kAny, "x"), backend("x", server(a_)));
  start();
  const auto before = live_->snapshot();
  const net::Address known = address();
  write(listener("l", kAny, "x") + listener("new", kAny, "x") +
            listener("taken", address_of(taken.get()).to_string(), "x"),
        backend("x", server(b_, ", weight: 7")));
  const auto refused = live_->reload();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "cannot_listen");
  EXPECT_NE(refused.error().message.find("listener taken: "), std::string::npos);
  EXPECT_EQ(live_->snapshot(), before);
  EXPECT_EQ(live_->listeners().size(), 1u);
  EXPECT_EQ(address(), known);
  EXPECT_EQ(greeters(), Names{"a"});
}

TEST_F(LiveConfigurationTest, AListenerKeepsThePortItWasGiven) {
  write(listener("l", kAny, "x"), backend("x", server(a_)));
  start();
  const net::Address given = address();
  ASSERT_NE(given.port(), 0);
  write(listener("first", kAny, "x") + listener("l", kAny, "x"), backend("x", server(b_)));
  ASSERT_TRUE(live_->reload());
  EXPECT_EQ(address(1), given);
  EXPECT_NE(address(0), given);
  EXPECT_EQ(greeting_of(given), "b");
  EXPECT_EQ(greeting_of(address(0)), "b");
}

TEST_F(LiveConfigurationTest, TwoListenersMaySwapTheirAddresses) {
  std::array<std::string, 2> addresses{"unix:" + file_ + ".1", "unix:" + file_ + ".2"};
  const std::string backends = backend("x", server(a_)) + backend("y", server(b_));
  write(listener("l", addresses[0], "x") + listener("m", addresses[1], "y"), backends);
  start();
  EXPECT_EQ(greeting_of(*net::Address::parse(addresses[0])), "a");
  for (int i = 0; i < 5; ++i) {
    write(listener("l", addresses[1], "x") + listener("m", addresses[0], "y"), backends);
    ASSERT_TRUE(live_->reload());
    EXPECT_EQ(greeting_of(*net::Address::parse(addresses[1])), "a");
    EXPECT_EQ(greeting_of(*net::Address::parse(addresses[0])), "b");
    std::swap(addresses[0], addresses[1]);
  }
  for (const char* end : {".1", ".2"}) std::remove((file_ + end).c_str());
}

TEST_F(LiveConfigurationTest, AListenerThatIsRemovedRefusesConnections) {
  write(listener("l", kAny, "x") + listener("gone", kAny, "x"), backend("x", server(a_)));
  start();
  const net::Address gone = address(1);
  EXPECT_EQ(greeting_of(gone), "a");
  write(listener("l", kAny, "x"), backend("x", server(a_)));
  ASSERT_TRUE(live_->reload());
  EXPECT_EQ(live_->listeners().size(), 1u);
  // Until the last worker has seen that its queue is empty, connecting may take a second.
  while (!greeting_of(gone).empty()) {
  }
  EXPECT_EQ(greeters(), Names{"a"});
}

TEST_F(LiveConfigurationTest, OldSnapshotsEnd) {
  write(listener("l", kAny, "x"), backend("x", server(a_) + server(b_)));
  start();
  std::vector<std::weak_ptr<const proxy::Snapshot>> old;
  for (std::uint32_t i = 0; i < 20; ++i) {
    old.emplace_back(live_->snapshot());
    write(listener("l", kAny, "x"),
          backend("x", server(a_, fmt::format(", weight: {}", i + 2)) + server(b_)));
    ASSERT_TRUE(live_->reload());
    EXPECT_TRUE(old.back().expired());
  }
}

TEST_F(LiveConfigurationTest, RoutesAreSaidInTheWordsOfExplain) {
  write(
      "  - name: l\n    address: 127.0.0.1:0\n    protocol: http\n    access_log: { format: off }\n"
      "    routes:\n"
      "      - { match: { host: [a.example, b.example], path: /, path_prefix: /b }, backend: x }\n"
      "      - { backend: x }\n",
      backend("x", server(a_)));
  start();
  const std::string match = "host a.example or host b.example, path / or path_prefix /b";
  const auto routes = live_->routes();
  ASSERT_EQ(routes.size(), 2u);
  EXPECT_EQ(routes[0].match, match);
  EXPECT_EQ(routes[1].match, "any request");
  const auto explained = live_->explain(
      {.method = "GET", .url = "http://a.example/", .from = {}, .fields = {}, .listener = {}});
  ASSERT_TRUE(explained) << explained.error().message;
  EXPECT_NE(explained->text.find("1: " + match), std::string::npos) << explained->text;
}

// All that can change does, while clients connect all the time: each is served.
TEST_F(LiveConfigurationTest, NoConnectionIsLostWhileEverythingChanges) {
  const std::string both = backend("x", server(a_) + server(b_));
  write(listener("l", kAny, "x"), both);
  start(8);
  const net::Address served = address();
  std::atomic<bool> over = false;
  std::atomic<int> greeted = 0;
  std::atomic<int> lost = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!over) ++(greeting_of(served).empty() ? lost : greeted);
    });
  }
  Random random(1);
  for (int change = 0; change < 100; ++change) {
    switch (random.below(5)) {
      case 0:
        static_cast<void>(live_->remove_server("x", "a"));
        break;
      case 1:
        static_cast<void>(add("x", a_));
        break;
      case 2:
        EXPECT_TRUE(live_->change_server("x", "b", {.weight = 1 + random.below(9), .state = {}}));
        break;
      case 3:
        static_cast<void>(live_->change_server(
            "x", "a", {.weight = {}, .state = static_cast<backend::AdminState>(random.below(3))}));
        break;
      default:
        write(listener("l", kAny, "x") + (random.below(2) == 0 ? listener("m", kAny, "x") : ""),
              both);
        EXPECT_TRUE(live_->reload());
    }
  }
  // At least one after the last change.
  for (const int before = greeted; greeted < before + 10 && lost == 0;) std::this_thread::yield();
  over = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace weir::app
