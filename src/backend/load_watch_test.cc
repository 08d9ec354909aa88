#include "backend/load_watch.h"

#include <cmath>

#include "backend/load_poll.h"
#include "net/net_test_support.h"

namespace weir::backend {
namespace {

using namespace std::chrono_literals;
using net::test::FakeServer;
using net::test::Peer;

std::string answer_of(std::string_view body, std::string_view status = "200 OK") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

class LoadPollTest : public testing::Test {
 protected:
  // What comes of a question while `serve` turns the server.
  template <class Serve>
  Result<LoadAnswer> ask(Serve serve, Duration timeout = 20s) {
    const LoadQuestion question{.address = server_.address,
                                .authority = "server:1",
                                .path = "/load?x=1",
                                .due = worker_->now() + timeout};
    Result<LoadAnswer> answer = fail(ErrorKind::none);
    Scope scope;
    scope.spawn([this, &question, &answer]() -> Task<> {
      answer = co_await ask_for_load(*worker_, question, slot_);
    });
    EXPECT_TRUE(worker_.turn_until([&] {
      if (server_.accept_all() != 0) serve(server_.peers.back());
      return scope.running() == 0;
    }));
    return answer;
  }
  Result<LoadAnswer> ask_answered(const std::string& bytes) {
    return ask([&bytes, sent = false](Peer& peer) mutable {
      if (sent || !peer.read().in.ends_with("\r\n\r\n")) return;
      sent = true;
      peer.send(bytes);
    });
  }

  FakeServer server_;
  net::test::TestWorker worker_;
  net::CancelSlot slot_;
};

TEST_F(LoadPollTest, TheRequestIsAGetOfThePathThatClosesTheConnection) {
  const auto answer = ask_answered(answer_of("{}"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "{}");
  EXPECT_GT(answer->round_trip_ms.value(), 0);
  EXPECT_EQ(server_.peers.back().in,
            "GET /load?x=1 HTTP/1.1\r\nHost: server:1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(worker_.turn_until([&] { return server_.peers.back().is_over(); }));
}

TEST_F(LoadPollTest, OtherAnswersAreErrors) {
  EXPECT_FALSE(ask_answered(answer_of("{}", "503 Down")));
  EXPECT_FALSE(ask_answered("garbage\r\n\r\n"));
  EXPECT_FALSE(ask_answered(answer_of(std::string(kLoadReportBytesMax + 1, ' '))));
  EXPECT_TRUE(ask_answered(answer_of(std::string(kLoadReportBytesMax, ' '))));
}

TEST_F(LoadPollTest, SilenceEndsAtTheDeadline) {
  const auto answer = ask([](Peer&) {}, 20ms);
  EXPECT_FALSE(answer);
  EXPECT_FALSE(ask(
      [](Peer& peer) {
        if (peer.read().in.ends_with("\r\n\r\n"))
          peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
        peer.in.clear();
      },
      50ms));
}

TEST_F(LoadPollTest, AServerThatRefusesIsAnError) {
  server_.listening = Fd();
  EXPECT_FALSE(ask([](Peer&) {}));
}

class LoadWatchTest : public testing::Test {
 protected:
  LoadWatchTest() {
    settings_.name.value = "b";
    settings_.balance.resource.emplace();
    settings_.load_report.emplace().interval = 100ms;
    for (std::size_t i = 0; i < 2; ++i) {
      ServerSettings& server = settings_.servers.emplace_back();
      server.name.value = std::to_string(i);
      server.address.address = servers_[i].address;
    }
  }
  ~LoadWatchTest() override {
    watch_.stop();
    EXPECT_TRUE(worker_.turn_until([&] { return watch_.is_stopped(); }));
  }

  void apply() {
    backend_ = std::make_shared<Backend>(settings_, registry_, backend_.get());
    const std::shared_ptr<Backend> backends[] = {backend_};
    watch_.follow(backends);
  }
  // Serves what is asked until the scores are such; they are made in each turn.
  template <class Condition>
  bool serve_until(Condition&& holds) {
    return worker_.turn_until([&] {
      for (std::size_t i = 0; i < servers_.size(); ++i) serve(i);
      if (measuring_.running() == 0)
        measuring_.spawn([this]() -> Task<> { co_await watch_.measure(); });
      return holds();
    });
  }
  void serve(std::size_t index) {
    FakeServer& server = servers_[index];
    server.accept_all();
    for (Peer& peer : server.peers) {
      if (reports_[index].empty() || !peer.read().in.ends_with("\r\n\r\n")) continue;
      peer.in.clear();
      peer.send(answer_of(reports_[index]));
    }
  }
  float score(std::size_t server) { return backend_->scores()[server].load(); }
  std::uint64_t failures(std::size_t server) {
    return backend_->server(balance::to_server(server)).load_report_failures().read();
  }

  stats::Registry registry_{1};
  net::test::TestWorker worker_;
  std::array<FakeServer, 2> servers_;
  std::array<std::string, 2> reports_;  // empty: it says nothing
  BackendSettings settings_;
  std::shared_ptr<Backend> backend_;
  LoadWatch watch_{*worker_};
  Scope measuring_;
};

TEST_F(LoadWatchTest, ScoresFollowTheReports) {
  reports_ = {R"({"cpu": 50})", R"({"cpu": 10})"};
  apply();
  EXPECT_TRUE(serve_until([&] { return score(0) > score(1); }));
  EXPECT_FLOAT_EQ(score(0), 45);
  EXPECT_FLOAT_EQ(score(1), 9);
  reports_[0] = R"({"cpu": 1})";
  EXPECT_TRUE(serve_until([&] { return score(0) < score(1); }));
  EXPECT_EQ(failures(0), 0u);
}

TEST_F(LoadWatchTest, WithoutNewReportsAServerIsUnknownAgain) {
  settings_.load_report->timeout = 50ms;
  settings_.load_report->expire = 600ms;
  reports_ = {R"({"cpu": 50})", R"({"cpu": 10})"};
  apply();
  EXPECT_TRUE(serve_until([&] { return score(0) > score(1); }));
  reports_[0] = "garbage";
  EXPECT_TRUE(serve_until([&] { return std::isnan(score(0)); }));
  EXPECT_GT(failures(0), 0u);
  EXPECT_FLOAT_EQ(score(1), 9);
  reports_[1] = "";
  EXPECT_TRUE(serve_until([&] { return std::isnan(score(1)); }));
  EXPECT_GT(failures(1), 0u);
}

TEST_F(LoadWatchTest, ReportsAreAskedForWhereTheSettingsSay) {
  settings_.servers[0].address.address.set_port(1);
  settings_.load_report->port = servers_[0].address.port();
  reports_ = {R"({"cpu": 50})", ""};
  apply();
  EXPECT_TRUE(serve_until([&] { return !std::isnan(score(0)) && !std::isnan(score(1)); }));
}

TEST_F(LoadWatchTest, ANewGenerationKnowsTheReportsOfItsServers) {
  settings_.load_report->interval = 1h;
  reports_ = {R"({"cpu": 50})", R"({"cpu": 10})"};
  apply();
  EXPECT_TRUE(serve_until([&] { return score(0) > score(1); }));
  settings_.queue_length = 5;
  apply();
  EXPECT_GT(score(0), score(1));
  backend_->set_scores(std::array{1.0F, 2.0F});
  EXPECT_TRUE(serve_until([&] { return score(0) > score(1); }));
  EXPECT_EQ(servers_[0].peers.size(), 1u);
}

TEST_F(LoadWatchTest, ManyServersAreAskedAFewAtATime) {
  settings_.servers.resize(1);
  for (int i = 1; i < 100; ++i) {
    settings_.servers.push_back(settings_.servers[0]);
    settings_.servers.back().name.value = std::to_string(i);
  }
  settings_.load_report->timeout = 10s;
  apply();
  EXPECT_TRUE(worker_.turn_until([&] { return servers_[0].accept_all() >= LoadWatch::kPollsMax; }));
  worker_.turn_a_little();
  EXPECT_EQ(servers_[0].accept_all(), LoadWatch::kPollsMax);
  reports_[0] = R"({"cpu": 50})";
  EXPECT_TRUE(serve_until([&] { return servers_[0].peers.size() >= 100; }));
}

TEST_F(LoadWatchTest, ServersThatAreGoneAreAskedNoMore) {
  reports_ = {R"({"cpu": 50})", R"({"cpu": 10})"};
  apply();
  EXPECT_TRUE(serve_until([&] { return score(0) > score(1); }));
  settings_.servers.pop_back();
  apply();
  const auto polls = servers_[1].peers.size();
  const auto before = servers_[0].peers.size();
  EXPECT_TRUE(serve_until([&] { return servers_[0].peers.size() >= before + 3; }));
  EXPECT_LE(servers_[1].peers.size(), polls + 1);
}

}  // namespace
}  // namespace weir::backend
