// Connections that carry several streams beside each other, as their pools handle them.

#include <gtest/gtest.h>
#include <memory>

#include "backend/backend_test_support.h"

namespace weir::backend {
namespace {

using namespace test;

class SharedConnection final : public ServerConnection {
 public:
  static constexpr std::uint32_t kStreamsMax = 3;
  SharedConnection(ServerPool& of, Socket& socket) noexcept
      : ServerConnection(of, socket, kStreamsMax), http_(of.worker(), stream, limits_) {}

  // As its peer's end of the connection would.
  void end() {
    has_ended_ = true;
    pool.lose(*this);
  }
  bool may_go_on() const noexcept override { return !has_ended_; }

 private:
  // What goes over the streams is not looked at, so one stands for all.
  net::ServerSideStream& open_stream() noexcept override { return http_; }
  void close_stream(net::ServerSideStream&, Ended) noexcept override {}
  bool try_rest() noexcept override { return true; }

  http1::HeadLimits limits_;
  net::Http1ServerSide http_;
  bool has_ended_ = false;
};

class SharedConnections final : public ServerConnections {
 public:
  ServerConnection& make(ServerPool& pool, Socket& socket) override {
    return slab_.make(pool, socket);
  }
  void destroy(ServerConnection& connection) noexcept override {
    slab_.destroy(static_cast<SharedConnection&>(connection));
  }
  std::size_t live() const noexcept override { return slab_.live(); }

 private:
  Slab<SharedConnection> slab_;
};

class SharedConnectionTest : public ChangeFixture {
 protected:
  SharedConnectionTest() { add_server("s", fake_.address); }
  ~SharedConnectionTest() override { view_.reset(); }

  ServerConnections& connections() noexcept override { return shared_; }
  // The server is leased for as long as the test goes on.
  ServerStream open(Replay replay = Replay::possible) {
    leases_.push_back(pick());
    Result<ServerStream> stream = fail(ErrorKind::none);
    worker_.run([&]() -> Task<> {
      stream = co_await view_->connect(leases_.back(), {.replay = replay}, cancel_);
    });
    EXPECT_TRUE(stream);
    return std::move(*stream);
  }
  static void end_well(ServerStream stream) { stream.mark_ended_well(); }

  FakeServer fake_;
  SharedConnections shared_;
  std::vector<ServerLease> leases_;
};

TEST_F(SharedConnectionTest, AConnectionIsFilledBeforeAnotherIsMade) {
  apply();
  std::vector<ServerStream> streams;
  for (std::uint32_t i = 0; i < SharedConnection::kStreamsMax; ++i) {
    streams.push_back(open());
    EXPECT_EQ(streams.back().is_reused(), i != 0);
    EXPECT_EQ(&streams.back().connection(), &streams[0].connection());
  }
  const ServerStream other = open();
  EXPECT_FALSE(other.is_reused());
  EXPECT_EQ(shared_.live(), 2u);
  // The place of one that has ended, well or not, is free again.
  ServerConnection& first = streams[0].connection();
  streams.erase(streams.begin());
  EXPECT_EQ(&open().connection(), &first);
}

TEST_F(SharedConnectionTest, ItRestsOnlyWhenItsLastStreamHasEnded) {
  settings_.pool.idle_timeout = 20ms;
  apply();
  ServerStream first = open();
  ServerStream second = open();
  end_well(std::move(first));
  const TimePoint until = worker_->now() + 40ms;
  ASSERT_TRUE(worker_.turn_until([&] { return worker_->now() > until; }));
  EXPECT_EQ(shared_.live(), 1u);
  end_well(std::move(second));
  EXPECT_EQ(shared_.live(), 1u);
  EXPECT_TRUE(worker_.turn_until([&] { return shared_.live() == 0; }));
}

TEST_F(SharedConnectionTest, OneThatHasEndedTakesNoMoreAndGoesWithItsLastStream) {
  apply();
  ServerStream first = open();
  ServerStream second = open();
  auto& connection = static_cast<SharedConnection&>(first.connection());
  connection.end();
  {
    const ServerStream elsewhere = open();
    EXPECT_NE(&elsewhere.connection(), &connection);
  }
  EXPECT_EQ(shared_.live(), 2u);
  end_well(std::move(first));
  EXPECT_EQ(shared_.live(), 2u);
  end_well(std::move(second));
  EXPECT_EQ(shared_.live(), 1u);
}

TEST_F(SharedConnectionTest, OneThatEndsAtRestGoesAtOnce) {
  apply();
  ServerStream stream = open();
  auto& connection = static_cast<SharedConnection&>(stream.connection());
  end_well(std::move(stream));
  connection.end();
  EXPECT_EQ(shared_.live(), 0u);
}

// What is in use by others is known to live.
TEST_F(SharedConnectionTest, OnlyTheStreamThatEndedItsRestMayFindItDead) {
  apply();
  end_well(open());
  const ServerStream first = open();
  const ServerStream second = open();
  ASSERT_EQ(&second.connection(), &first.connection());
  EXPECT_FALSE(first.may_have_died_at_rest());
  static_cast<SharedConnection&>(first.connection()).end();
  EXPECT_TRUE(first.may_have_died_at_rest());
  EXPECT_FALSE(second.may_have_died_at_rest());
}

TEST_F(SharedConnectionTest, ItsStreamsAreCountedOverItsLife) {
  settings_.pool.requests_max = 2;
  apply();
  ServerStream first = open();
  ServerStream second = open();
  EXPECT_EQ(&second.connection(), &first.connection());
  const ServerStream third = open();
  EXPECT_NE(&third.connection(), &first.connection());
  end_well(std::move(first));
  EXPECT_EQ(shared_.live(), 2u);
  end_well(std::move(second));
  EXPECT_EQ(shared_.live(), 1u);
}

TEST_F(SharedConnectionTest, ARequestThatCannotBeSentAgainTakesNoneThatMayHaveDied) {
  apply();
  const ServerStream stream = open();
  EXPECT_EQ(&open(Replay::impossible).connection(), &stream.connection());
  stream.connection().used_at = worker_->now() - 1001ms;
  EXPECT_NE(&open(Replay::impossible).connection(), &stream.connection());
}

TEST_F(SharedConnectionTest, OneToAServerThatHasLeftGoesWithItsLastStream) {
  apply();
  ServerStream first = open();
  ServerStream second = open();
  add_server("other");
  settings_.servers.erase(settings_.servers.begin());
  apply();
  end_well(std::move(first));
  EXPECT_EQ(shared_.live(), 1u);
  end_well(std::move(second));
  EXPECT_EQ(shared_.live(), 0u);
}

}  // namespace
}  // namespace weir::backend
