// When a request is tried again, where, and for how long.

#include "proxy/http/serve_http_test_support.h"

namespace weir::proxy {
namespace {

using test::ClosedPort;
using test::FakeServer;
using test::kGet;
using test::kOk;
using test::Peer;
using namespace std::chrono_literals;

class RetryTest : public test::HttpFixture {
 protected:
  RetryTest() { backend_.retry.backoff = 0s; }

  // Reads the next request and ends the connection.
  void fail_one(FakeServer& server) {
    Peer& peer = accept(server);
    ASSERT_TRUE(receives(peer, "\r\n\r\n"));
    peer.close();
  }
  void answer_one(FakeServer& server) {
    Peer& peer = accept(server);
    ASSERT_TRUE(receives(peer, "\r\n\r\n"));
    peer.send(kOk);
  }
  void pass(Duration time) {
    const TimePoint until = worker_->now() + time;
    ASSERT_TRUE(turn_until([&] { return worker_->now() >= until; }));
  }
  // A client that each has answered once, over a connection that is pooled now.
  Peer ask_each(FakeServer& one, FakeServer& two) {
    Peer client = connect();
    for (FakeServer* server : {&one, &two}) {
      client.send(kGet);
      answer_one(*server);
      EXPECT_TRUE(receives(client, "ok"));
      client.in.clear();
    }
    return client;
  }
};

TEST_F(RetryTest, TheOnlyServerIsAskedAgainWhileAttemptsAreLeft) {
  FakeServer server;
  backend_.retry.attempts = 4;
  start_with(server);
  Peer client = connect_and_send(kGet);
  for (int i = 0; i < 3; ++i) fail_one(server);
  answer_one(server);
  ASSERT_TRUE(receives(client, "ok"));
  const test::Logged line = last_logged();
  EXPECT_EQ(line.attempts, 4);
  EXPECT_EQ(line.status, 200);
}

TEST_F(RetryTest, AfterTheLastAttemptItsErrorIsTheAnswer) {
  FakeServer server;
  backend_.retry.attempts = 2;
  start_with(server);
  Peer client = connect_and_send(kGet);
  for (int i = 0; i < 2; ++i) fail_one(server);
  ASSERT_TRUE(receives(client, "reason: server_closed\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 502 "));
  const test::Logged line = last_logged();
  EXPECT_EQ(line.attempts, 2);
  EXPECT_TRUE(line.sentence.contains(" Tried s (server_closed after ")) << line.sentence;
  EXPECT_FALSE(client.in.contains("Tried"));  // that is not for clients
  EXPECT_EQ(server.accept_all(), 2u);
}

TEST_F(RetryTest, WithOneAttemptNothingIsRepeated) {
  const ClosedPort closed;
  FakeServer server;
  add_server(closed.address, "refuses");
  add_server(server.address, "serves");
  backend_.retry.attempts = 1;
  start();
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(receives(client, "reason: connect_refused\n"));
  EXPECT_EQ(last_logged().attempts, 1);
}

TEST_F(RetryTest, AnAttemptThatTakesTooLongMakesWayForAnother) {
  FakeServer one;
  FakeServer two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  backend_.retry.per_try_timeout = 1s;
  start();
  Peer client = connect_and_send(kGet);
  Peer& silent = accept(one);
  answer_one(two);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_TRUE(ends(silent));
  EXPECT_EQ(last_logged().attempts, 2);
}

TEST_F(RetryTest, AServerThatDoesNotAcceptTakesNoLongerThanAnAttemptMay) {
  const net::test::SilentPort silent;
  add_server(silent.address);
  backend_.retry.per_try_timeout = 10ms;
  start();
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  ASSERT_TRUE(receives(client, "reason: connect_timeout\n"));
  EXPECT_EQ(last_logged().attempts, 3);  // nothing of it was sent
}

TEST_F(RetryTest, ATimeoutOfAnAttemptIsNoReasonToSendAPostTwice) {
  FakeServer server;
  backend_.retry.per_try_timeout = 20ms;
  start_with(server);
  Peer client = connect_and_send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  ASSERT_TRUE(receives(client, "reason: response_head_timeout\n"));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 504 "));
  EXPECT_EQ(last_logged().attempts, 1);
}

TEST_F(RetryTest, TheDeadlineEndsAllAttempts) {
  FakeServer server;
  backend_.retry.attempts = 8;
  backend_.retry.per_try_timeout = 40ms;
  backend_.retry.deadline = 100ms;
  start_with(server);
  const TimePoint began = worker_->now();
  Peer client = connect_and_send(kGet);
  ASSERT_TRUE(receives(client, "reason: response_head_timeout\n"));
  EXPECT_GE(worker_->now() - began, 100ms);
  // Each begins 40 ms after the one before it or later: on a slow machine there are fewer.
  EXPECT_LE(last_logged().attempts, 3);
}

TEST_F(RetryTest, AWaitThatWouldPassTheDeadlineIsNotBegun) {
  FakeServer server;
  backend_.retry.deadline = 10s;
  backend_.retry.backoff = 1h;
  backend_.retry.backoff_max = 1h;
  start_with(server);
  Peer client = connect_and_send(kGet);
  fail_one(server);
  ASSERT_TRUE(receives(client, "reason: server_closed\n"));
}

// Neither the limit of an attempt nor the deadline runs while the client sends its request.
TEST_F(RetryTest, AnUploadMayTakeLongerThanAnAttempt) {
  FakeServer server;
  backend_.retry.per_try_timeout = 500ms;
  backend_.retry.deadline = 500ms;
  start_with(server);
  Peer client = connect_and_send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
  Peer& peer = accept(server);
  for (int i = 0; i < 3; ++i) {
    pass(250ms);
    client.send("b");
  }
  ASSERT_TRUE(receives(peer, "bbb"));
  pass(20ms);
  peer.send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().attempts, 1);
}

// A pooled connection that ended may have died of age; one that is silent has not.
TEST_F(RetryTest, ASilentServerIsNotAskedAgainForItsConnectionWasPooled) {
  FakeServer one;
  FakeServer two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  backend_.retry.per_try_timeout = 1s;
  start();
  Peer client = ask_each(one, two);
  one.peers[0].in.clear();
  client.send(kGet);
  ASSERT_TRUE(receives(one.peers[0], "\r\n\r\n"));
  two.peers[0].in.clear();
  ASSERT_TRUE(receives(two.peers[0], "\r\n\r\n"));
  two.peers[0].send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().attempts, 2);
}

// It may as well have died with its server.
TEST_F(RetryTest, AfterAPooledConnectionThatEndedAnotherServerIsAsked) {
  FakeServer one;
  FakeServer two;
  add_server(one.address, "1");
  add_server(two.address, "2");
  backend_.retry.attempts = 2;
  start();
  Peer client = ask_each(one, two);
  one.peers[0].in.clear();
  two.peers[0].in.clear();
  client.send(kGet);
  ASSERT_TRUE(receives(one.peers[0], "\r\n\r\n"));
  one.listening.close();
  one.peers[0].close();
  ASSERT_TRUE(receives(two.peers[0], "\r\n\r\n"));
  two.peers[0].send(kOk);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().attempts, 2);
}

class BackOffTest : public RetryTest {
 protected:
  // A request that waits an hour, most probably, before it is tried again.
  Peer start_waiting(FakeServer& server) {
    backend_.retry.deadline = 24h;
    backend_.retry.backoff = 1h;
    backend_.retry.backoff_max = 1h;
    start_with(server);
    Peer client = connect_and_send(kGet);
    fail_one(server);
    EXPECT_TRUE(turn_until([&] { return leases() == 0; }));
    worker_.turn_a_little();
    EXPECT_EQ(server.accept_all(), 1u);
    EXPECT_EQ(proxy_->connections_open(), 1u);
    return client;
  }
};

TEST_F(BackOffTest, PassesBetweenTwoAttempts) {
  FakeServer server;
  backend_.retry.attempts = 8;
  backend_.retry.backoff = 20ms;
  backend_.retry.backoff_max = 20ms;
  start_with(server);
  const TimePoint began = worker_->now();
  Peer client = connect_and_send(kGet);
  for (int i = 0; i < 8; ++i) fail_one(server);
  ASSERT_TRUE(receives(client, "502 Bad Gateway"));
  EXPECT_GE(worker_->now() - began, 10ms);  // of 7 waits, 10 ms each on average
}

TEST_F(BackOffTest, AClientsResetEndsIt) {
  FakeServer server;
  Peer client = start_waiting(server);
  client.reset();
  ASSERT_TRUE(has_no_connections());
  const test::Logged line = last_logged();
  EXPECT_EQ(line.reason.kind, ErrorKind::client_reset);
  EXPECT_EQ(line.attempts, 1);
  EXPECT_EQ(line.status, 0);
}

TEST_F(BackOffTest, ACutEndsIt) {
  FakeServer server;
  Peer client = start_waiting(server);
  proxy_->abort_all();
  ASSERT_TRUE(has_no_connections());
  EXPECT_EQ(last_logged().reason.kind, ErrorKind::shutting_down);
}

TEST_F(BackOffTest, IsNotWaitedForAfterARefusedConnection) {
  const ClosedPort one;
  const ClosedPort two;
  FakeServer server;
  add_server(one.address, "1");
  add_server(two.address, "2");
  add_server(server.address, "3");
  backend_.retry.deadline = 24h;
  backend_.retry.backoff = 1h;
  backend_.retry.backoff_max = 1h;
  start();
  Peer client = connect_and_send(kGet);
  answer_one(server);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().attempts, 3);
}

TEST_F(BackOffTest, IsNotWaitedForAfterADeadPooledConnection) {
  FakeServer server;
  backend_.retry.deadline = 24h;
  backend_.retry.backoff = 1h;
  backend_.retry.backoff_max = 1h;
  start_with(server);
  Peer client = connect_and_send(kGet);
  answer_one(server);
  ASSERT_TRUE(receives(client, "ok"));
  client.in.clear();
  server.peers[0].in.clear();
  client.send(kGet);
  ASSERT_TRUE(receives(server.peers[0], "\r\n\r\n"));
  server.peers[0].close();
  answer_one(server);
  ASSERT_TRUE(receives(client, "ok"));
}

class BackupTest : public RetryTest {
 protected:
  void add_backup(FakeServer& server) {
    add_server(server.address, "backup");
    backend_.servers.back().backup = true;
  }
};

TEST_F(BackupTest, ServesWhilePrimariesRefuseAndNoLonger) {
  FakeServer backup;
  add_backup(backup);
  auto closed = std::make_unique<ClosedPort>();
  add_server(closed->address, "primary");
  backend_.refused_pause = 100ms;
  start();
  Peer client = connect_and_send(kGet);
  answer_one(backup);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().server, "backup");
  ASSERT_EQ(::listen(closed->socket.get(), 16), 0);
  FakeServer primary;
  primary.listening = std::move(closed->socket);
  pass(100ms);
  client.in.clear();
  client.send(kGet);
  answer_one(primary);
  ASSERT_TRUE(receives(client, "ok"));
  EXPECT_EQ(last_logged().server, "primary");
}

TEST_F(BackupTest, SavesARequestThatNoPrimaryIsLeftFor) {
  FakeServer backup;
  FakeServer primary;
  add_backup(backup);
  add_server(primary.address, "primary");
  start();
  Peer client = connect_and_send(kGet);
  fail_one(primary);
  answer_one(backup);
  ASSERT_TRUE(receives(client, "ok"));
}

}  // namespace
}  // namespace weir::proxy
