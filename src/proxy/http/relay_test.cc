#include "proxy/http/relay.h"

#include <deque>
#include <gtest/gtest.h>

#include "net/net_test_support.h"

namespace weir::proxy {
namespace {

using net::BodyEnd;
using net::BodyRead;
using net::BodyWrite;
using net::Waiter;
using net::test::TestWorker;
using namespace std::chrono_literals;

// Both ends of a body, by script. Waits end when the test says so.
class FakeEnd final : public net::HttpStream {
 public:
  // What is read, one call each; then `fails`, or nothing for now.
  std::deque<std::string> pieces;
  bool ends = false;  // with the last piece
  Error fails;

  // What was written; every call takes up to `room`, which is used up by it.
  std::string written;
  std::size_t room = SIZE_MAX;
  int flushes = 0;
  bool is_ended = false;
  Error write_fails;

  Waiter* reader = nullptr;
  Waiter* writer = nullptr;
  TimePoint read_deadline{};
  TimePoint write_deadline{};
  Error reset_reason;

  void wake(Waiter*& waiter, Error error = {}) {
    Waiter& woken = *std::exchange(waiter, nullptr);
    woken.error = error;
    woken.call_back();
  }

  BodyRead try_read_body(std::span<char>) noexcept override {
    if (pieces.empty()) {
      if (fails.kind != ErrorKind::none) return BodyRead::failed(fails);
      if (ends) return BodyRead::of({}, BodyEnd::last);
      return {};
    }
    piece_ = std::move(pieces.front());
    pieces.pop_front();
    const bool last = ends && pieces.empty();
    return BodyRead::of(piece_, last ? BodyEnd::last : BodyEnd::more);
  }
  Started start_body_readable(TimePoint deadline, Waiter& waiter) noexcept override {
    read_deadline = deadline;
    reader = &waiter;
    return Started::waiting;
  }
  void cancel_body_readable() noexcept override {
    if (reader != nullptr) wake(reader, make_error(ErrorKind::canceled));
  }
  const http::FieldList& trailers() const noexcept override { return trailers_; }
  void set_trailers(const http::FieldList& fields) noexcept override { set_ = &fields; }
  net::ByteStream* raw() noexcept override { return nullptr; }
  std::string_view received() const noexcept override { return {}; }
  http::FieldList trailers_;
  const http::FieldList* set_ = nullptr;
  BodyWrite try_write_body(std::string_view data, BodyEnd end) noexcept override {
    if (write_fails.kind != ErrorKind::none) return {BodyWrite::Status::failed, 0, write_fails};
    if (data.empty()) ++flushes;
    const std::size_t taken = std::min(room, data.size());
    written += data.substr(0, taken);
    room -= taken;
    if (taken < data.size()) return {BodyWrite::Status::would_block, taken, {}};
    is_ended = end == BodyEnd::last;
    return {BodyWrite::Status::done, taken, {}};
  }
  Started start_body_writable(TimePoint deadline, Waiter& waiter) noexcept override {
    write_deadline = deadline;
    writer = &waiter;
    return Started::waiting;
  }
  bool is_body_read() const noexcept override { return ends && pieces.empty(); }
  void reset(Error reason) noexcept override {
    reset_reason = reason;
    fails = write_fails = reason;
  }
  void watch_hang_up(Waiter&) noexcept override {}
  void stop_watching() noexcept override {}

 private:
  std::string piece_;
};

class RelayTest : public testing::Test {
 protected:
  void make(BodyLimits request = {}, BodyLimits response = {}) {
    relay_.emplace(*worker_, client_, server_, request, response);
  }
  // Pumps the response in a task of its own.
  void start_response() {
    scope_.spawn([this]() -> Task<> { co_await relay_->pump_response(server_, client_); });
  }
  void stop_request() {
    scope_.spawn([this]() -> Task<> { co_await relay_->stop_request(); });
  }
  bool is_task_over() const { return scope_.running() == 0; }

  TestWorker worker_;
  FakeEnd client_;
  FakeEnd server_;
  Scope scope_;
  std::optional<Relay> relay_;
};

TEST_F(RelayTest, MovesWhatIsThereAtOnce) {
  make();
  server_.pieces = {"one ", "two ", "three"};
  server_.ends = true;
  start_response();
  EXPECT_TRUE(is_task_over());
  EXPECT_EQ(client_.written, "one two three");
  EXPECT_TRUE(client_.is_ended);
  EXPECT_EQ(relay_->response().bytes(), 13u);
  EXPECT_EQ(relay_->response().failed(), BodyPump::Failed::none);
}

TEST_F(RelayTest, AnEmptyBodyEndsToo) {
  make();
  server_.ends = true;
  start_response();
  EXPECT_TRUE(is_task_over());
  EXPECT_TRUE(client_.is_ended);
  EXPECT_EQ(relay_->response().bytes(), 0u);
}

TEST_F(RelayTest, ASlowSourceIsWaitedForAndWhatIsHeldGoesOutBefore) {
  make({}, {.read = 7s});
  start_response();
  EXPECT_EQ(client_.flushes, 1);
  ASSERT_NE(server_.reader, nullptr);
  EXPECT_EQ(server_.read_deadline, worker_->now() + 7s);
  server_.pieces = {"late"};
  server_.wake(server_.reader);
  EXPECT_EQ(client_.written, "late");
  EXPECT_FALSE(is_task_over());
  server_.ends = true;
  server_.wake(server_.reader);
  EXPECT_TRUE(is_task_over());
}

TEST_F(RelayTest, ASlowSinkIsWaitedForAndNothingMoreIsRead) {
  make({}, {.write = 9s});
  server_.pieces = {"abcdef", "ghi"};
  server_.ends = true;
  client_.room = 2;
  start_response();
  EXPECT_EQ(client_.written, "ab");
  EXPECT_EQ(server_.pieces.size(), 1u);
  EXPECT_GT(worker_.buffer_bytes(), 0u);
  ASSERT_NE(client_.writer, nullptr);
  EXPECT_EQ(client_.write_deadline, worker_->now() + 9s);
  client_.room = 3;
  client_.wake(client_.writer);
  EXPECT_EQ(client_.written, "abcde");
  EXPECT_EQ(server_.pieces.size(), 1u);
  client_.room = SIZE_MAX;
  client_.wake(client_.writer);
  EXPECT_EQ(client_.written, "abcdefghi");
  EXPECT_TRUE(is_task_over());
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST_F(RelayTest, SaysWhichEndFailed) {
  const Error gone = make_error(ErrorKind::server_closed, Side::server);
  make();
  server_.pieces = {"half"};
  server_.fails = gone;
  start_response();
  EXPECT_TRUE(is_task_over());
  EXPECT_EQ(relay_->response().failed(), BodyPump::Failed::source);
  EXPECT_EQ(relay_->response().failure(), gone);
  EXPECT_FALSE(client_.is_ended);

  make();
  const Error reset = make_error(ErrorKind::client_reset, Side::client);
  server_.fails = {};
  server_.pieces = {"half"};
  client_.write_fails = reset;
  start_response();
  EXPECT_EQ(relay_->response().failed(), BodyPump::Failed::sink);
  EXPECT_EQ(relay_->response().failure(), reset);
}

TEST_F(RelayTest, AnEndThatStandsStillFails) {
  const Error timeout = make_error(ErrorKind::timeout, Side::server);
  make();
  start_response();
  server_.wake(server_.reader, timeout);
  EXPECT_TRUE(is_task_over());
  EXPECT_EQ(relay_->response().failed(), BodyPump::Failed::source);
  EXPECT_EQ(relay_->response().failure(), timeout);

  make();
  client_.room = 0;
  server_.pieces = {"x"};
  start_response();
  client_.wake(client_.writer, timeout);
  EXPECT_EQ(relay_->response().failed(), BodyPump::Failed::sink);
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST_F(RelayTest, ABodyOverItsLimitEndsTheExchange) {
  make({.bytes_max = 5});
  client_.pieces = {"12345"};
  relay_->start_request();
  EXPECT_EQ(server_.written, "12345");
  client_.pieces = {"6"};
  client_.wake(client_.reader);
  EXPECT_EQ(relay_->request().failed(), BodyPump::Failed::limit);
  EXPECT_EQ(relay_->request().failure().kind, ErrorKind::body_too_large);
  EXPECT_TRUE(relay_->has_request_failed());
  EXPECT_NE(server_.reset_reason, Error{});
  EXPECT_EQ(server_.written, "12345");
}

TEST_F(RelayTest, AClientThatBreaksItsBodyOffResetsTheServer) {
  make();
  client_.fails = make_error(ErrorKind::client_closed, Side::client);
  relay_->start_request();
  EXPECT_TRUE(relay_->has_request_failed());
  EXPECT_NE(server_.reset_reason, Error{});
}

TEST_F(RelayTest, AServerThatStopsReadingMayStillAnswer) {
  make();
  client_.pieces = {"body"};
  server_.write_fails = make_error(ErrorKind::server_reset, Side::server);
  relay_->start_request();
  EXPECT_TRUE(relay_->request().is_over());
  EXPECT_FALSE(relay_->has_request_failed());
  EXPECT_EQ(server_.reset_reason, Error{});
  server_.pieces = {"answer"};
  server_.ends = true;
  start_response();
  EXPECT_TRUE(is_task_over());
  EXPECT_EQ(client_.written, "answer");
}

TEST_F(RelayTest, AServerThatTakesNothingForTooLongDoesNot) {
  make();
  client_.pieces = {"body"};
  server_.room = 0;
  relay_->start_request();
  server_.wake(server_.writer, make_error(ErrorKind::timeout, Side::server));
  EXPECT_TRUE(relay_->has_request_failed());
  // Not a timeout of its own stream, which would still be waited for.
  EXPECT_EQ(server_.reset_reason.kind, ErrorKind::canceled);
}

TEST_F(RelayTest, AServerThatAnswersMayStopTakingTheRequest) {
  make();
  client_.pieces = {"body"};
  server_.room = 0;
  relay_->start_request();
  server_.pieces = {"ans"};
  start_response();
  server_.wake(server_.writer, make_error(ErrorKind::timeout, Side::server));
  EXPECT_EQ(relay_->request().failed(), BodyPump::Failed::sink);
  EXPECT_FALSE(relay_->has_request_failed());
  EXPECT_EQ(server_.reset_reason.kind, ErrorKind::none);
  server_.pieces = {"wer"};
  server_.ends = true;
  server_.wake(server_.reader);
  EXPECT_EQ(client_.written, "answer");
  EXPECT_TRUE(is_task_over());
}

TEST_F(RelayTest, OthersHaveTheirTurnAfterTwoMegabytes) {
  make();
  const std::string block(256 * 1024, 'x');
  for (int i = 0; i < 20; ++i) server_.pieces.push_back(block);
  server_.ends = true;
  start_response();
  EXPECT_EQ(client_.written.size(), std::size_t{2} << 20);
  EXPECT_FALSE(is_task_over());
  ASSERT_TRUE(worker_.turn_until([&] { return is_task_over(); }));
  EXPECT_EQ(client_.written.size(), 20 * block.size());
}

TEST_F(RelayTest, OthersHaveTheirTurnAfterManySmallPieces) {
  make();
  for (int i = 0; i < 1000; ++i) server_.pieces.emplace_back("x");
  server_.ends = true;
  start_response();
  EXPECT_FALSE(is_task_over());
  ASSERT_TRUE(worker_.turn_until([&] { return is_task_over(); }));
  EXPECT_EQ(client_.written.size(), 1000u);
}

TEST_F(RelayTest, StoppingARequestThatWaitsForTheClientEndsItAtOnce) {
  make();
  client_.pieces = {"some"};
  relay_->start_request();
  EXPECT_FALSE(relay_->request().is_over());
  stop_request();
  EXPECT_TRUE(is_task_over());
  EXPECT_EQ(server_.reset_reason.kind, ErrorKind::canceled);
}

TEST_F(RelayTest, StoppingARequestThatWaitsForTheServerAwaitsItsEnd) {
  make();
  client_.pieces = {"some"};
  server_.room = 0;
  relay_->start_request();
  stop_request();
  EXPECT_FALSE(is_task_over());
  EXPECT_EQ(server_.reset_reason.kind, ErrorKind::canceled);
  server_.wake(server_.writer, server_.reset_reason);  // as a stream that was reset does
  EXPECT_TRUE(is_task_over());
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

// It waits for nothing but its turn; in that it would find nothing to read and wait for the client.
TEST_F(RelayTest, StoppingARequestThatWaitsForItsTurnEndsItAtOnce) {
  make();
  client_.pieces = {std::string(std::size_t{2} << 20, 'x')};
  relay_->start_request();
  EXPECT_EQ(client_.reader, nullptr);
  EXPECT_FALSE(relay_->request().is_over());
  stop_request();
  EXPECT_TRUE(is_task_over());
  worker_.turn_a_little();
}

TEST_F(RelayTest, StoppingWhatIsOverOrNeverBeganDoesNothing) {
  make();
  stop_request();
  EXPECT_TRUE(is_task_over());
  client_.ends = true;
  relay_->start_request();
  EXPECT_TRUE(server_.is_ended);
  stop_request();
  EXPECT_TRUE(is_task_over());
  EXPECT_EQ(server_.reset_reason, Error{});
}

TEST_F(RelayTest, BothBodiesMoveBesideEachOther) {
  make();
  relay_->start_request();
  start_response();
  client_.pieces = {"ping"};
  client_.wake(client_.reader);
  server_.pieces = {"pong"};
  server_.wake(server_.reader);
  EXPECT_EQ(server_.written, "ping");
  EXPECT_EQ(client_.written, "pong");
  client_.ends = true;
  client_.wake(client_.reader);
  EXPECT_TRUE(relay_->request().is_over());
  EXPECT_FALSE(is_task_over());
  server_.ends = true;
  server_.wake(server_.reader);
  EXPECT_TRUE(is_task_over());
}

TEST_F(RelayTest, WithoutABufferForWhatIsLeftOverABodyFails) {
  TestWorker poor(0);
  Relay relay(*poor, client_, server_, {}, {});
  client_.pieces = {"some"};
  server_.room = 1;
  relay.start_request();
  EXPECT_TRUE(relay.has_request_failed());
  EXPECT_EQ(relay.request().failure(), make_error(ErrorKind::buffers_exhausted, Side::weir));
}

}  // namespace
}  // namespace weir::proxy
