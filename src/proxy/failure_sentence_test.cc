#include "proxy/failure_sentence.h"

#include <gtest/gtest.h>

#include "backend/http1_server_connection.h"
#include "backend/worker_backend.h"
#include "net/net_test_support.h"

namespace weir::proxy {
namespace {

using namespace std::chrono_literals;
using backend::AdminState;
using net::test::TestWorker;

class FailureSentence : public testing::Test {
 protected:
  backend::ServerSettings& add_server(std::string name) {
    backend::ServerSettings& server = settings_.servers.emplace_back();
    server.name.value = std::move(name);
    return server;
  }
  void make() {
    settings_.name.value = "b";
    backend_ = std::make_shared<backend::Backend>(settings_, registry_);
    of_worker_ = make_local<backend::WorkerBackend>(*worker_, backend_, 1, connections_);
  }
  void add_attempt(std::size_t server, ErrorKind error, Duration duration) {
    attempts_.begin(of_worker_->pool_of(balance::to_server(server)), now_);
    now_ += duration;
    attempts_.end(error, now_);
  }
  std::string sentence(ErrorKind kind) {
    std::array<char, stats::kAccessSentenceBytesMax> room;
    return std::string(write_failure_sentence({.error = make_error(kind),
                                               .what = "It failed.",
                                               .attempts = attempts_,
                                               .backend = of_worker_.get()},
                                              room));
  }

  stats::Registry registry_{1};
  TestWorker worker_;
  backend::Http1ServerConnections connections_;
  backend::BackendSettings settings_;
  std::shared_ptr<backend::Backend> backend_;
  LocalRef<backend::WorkerBackend> of_worker_;
  TimePoint now_{1h};
  AttemptLog attempts_{now_};
};

TEST_F(FailureSentence, NamesTheServersTriedAndWhatEachDid) {
  add_server("u1");
  add_server("u2");
  make();
  add_attempt(0, ErrorKind::connect_refused, 349us);
  now_ += 25ms;  // the pause between two attempts is neither's
  add_attempt(1, ErrorKind::response_head_timeout, 5s);
  EXPECT_EQ(sentence(ErrorKind::response_head_timeout),
            "It failed. Tried u1 (connect_refused after 0.3 ms), u2 (response_head_timeout after "
            "5.0 s).");
}

TEST_F(FailureSentence, ATunnelOfHoursIsNoShortOne) {
  add_server("u1");
  make();
  add_attempt(0, ErrorKind::none, 1ms);
  attempts_.end(ErrorKind::server_reset, now_ + 100h);
  EXPECT_EQ(sentence(ErrorKind::server_reset),
            "It failed. Tried u1 (server_reset after more than 1 h).");
}

TEST_F(FailureSentence, CountsWhatThereIsNoRoomFor) {
  for (const char c : {'a', 'b', 'c', 'd'}) add_server(std::string(128, c));
  make();
  for (std::size_t i = 0; i < 8; ++i) add_attempt(i % 4, ErrorKind::server_reset, 1ms);
  const std::string text = sentence(ErrorKind::server_reset);
  EXPECT_LE(text.size(), stats::kAccessSentenceBytesMax);
  EXPECT_TRUE(text.ends_with("c (server_reset after 1.0 ms) and 5 more.")) << text;
}

TEST_F(FailureSentence, SaysWhyNobodyCouldBeTried) {
  add_server("u1");
  add_server("u2").weight = 0;
  add_server("u3");
  add_server("u4").backup = true;
  make();
  backend_->server(balance::to_server(0)).set_admin_state(AdminState::disabled);
  backend_->server(balance::to_server(2)).set_admin_state(AdminState::draining);
  backend_->server(balance::to_server(3)).set_weight(0);
  of_worker_->adopt(backend_->renew_candidates({}));
  ASSERT_FALSE(of_worker_->pick({}, {}).lease);
  EXPECT_EQ(sentence(ErrorKind::no_server),
            "It failed. u1 is disabled, u2 has weight 0, u3 is draining, u4 has weight 0.");
}

TEST_F(FailureSentence, SaysWhoIsFullWhenTheQueueGaveUp) {
  add_server("u1").maxconn = 1;
  add_server("u2").weight = 0;
  make();
  backend::ServerLease lease = of_worker_->pick({}, {}).lease;
  EXPECT_EQ(sentence(ErrorKind::queue_timeout),
            "It failed. u1 is at its maxconn (1), u2 has weight 0.");
  EXPECT_EQ(sentence(ErrorKind::canceled), "It failed.");
  lease.release();
  // Too late for this one.
  EXPECT_EQ(sentence(ErrorKind::queue_timeout), "It failed. u2 has weight 0.");
}

TEST_F(FailureSentence, CountsServersThereIsNoRoomFor) {
  for (int i = 0; i < 1000; ++i) add_server("server-" + std::to_string(i)).weight = 0;
  make();
  const std::string text = sentence(ErrorKind::no_server);
  EXPECT_LE(text.size(), stats::kAccessSentenceBytesMax);
  EXPECT_TRUE(text.ends_with("server-19 has weight 0 and 980 more.")) << text;
}

}  // namespace
}  // namespace weir::proxy
