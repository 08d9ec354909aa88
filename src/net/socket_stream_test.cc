#include "net/socket_stream.h"

#include "net/net_test_support.h"

namespace weir::net {
namespace {

using test::Connection;
using test::Peer;
using test::TestWorker;
using namespace std::chrono_literals;

// A waiter that counts its calls, and may run something in them.
template <class Then = void (*)()>
struct Recorded : Waiter {
  explicit Recorded(Then what = [] {})
      : Waiter([](Waiter& self) noexcept {
          auto& recorded = static_cast<Recorded&>(self);
          ++recorded.calls;
          recorded.then();
        }),
        then(what) {}
  int calls = 0;
  Then then;
};

class SocketStreamTest : public testing::Test {
 protected:
  TestWorker worker_;
  Connection client_{*worker_, Side::client};
  SocketStream& stream_ = *client_.stream;
  Peer& peer_ = client_.peer;

  IoCount send(std::string_view text) {
    const iovec part{const_cast<char*>(text.data()), text.size()};
    return stream_.try_send({&part, 1});
  }
  void fill_up() {
    const std::string block(64 * 1024, 'f');
    while (!send(block).is_would_block()) {
    }
  }
};

TEST_F(SocketStreamTest, ReceivesBehindWhatIsThere) {
  ReceiveBuffer in;
  worker_.run([&]() -> Task<> {
    peer_.send("one ");
    EXPECT_TRUE(co_await stream_.receive(in, kNever));
    EXPECT_EQ(in.bytes(), "one ");
    in.consume(2);
    peer_.send("two");
    EXPECT_TRUE(co_await stream_.receive(in, kNever));
    EXPECT_EQ(in.bytes(), "e two");
  });
  in.release();
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST_F(SocketStreamTest, WaitingForBytesHoldsNoBuffer) {
  ReceiveBuffer in;
  Recorded waiter;
  ASSERT_EQ(stream_.start_receive(in, kNever, waiter), Started::waiting);
  worker_.turn_a_little();
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
  peer_.send("x");
  ASSERT_TRUE(worker_.turn_until([&] { return waiter.calls == 1; }));
  EXPECT_EQ(in.bytes(), "x");
}

TEST_F(SocketStreamTest, TheEndIsAnErrorOfAReceiveThatNamesTheSide) {
  Connection server(*worker_, Side::server);
  worker_.run([&]() -> Task<> {
    peer_.shutdown_write();
    server.peer.shutdown_write();
    ReceiveBuffer in;
    const auto from_client = co_await stream_.receive(in, kNever);
    EXPECT_EQ(from_client.error(), make_error(ErrorKind::client_closed, Side::client));
    in.release();
    const auto from_server = co_await server.stream->receive(in, kNever);
    EXPECT_EQ(from_server.error(), make_error(ErrorKind::server_closed, Side::server));
  });
}

TEST_F(SocketStreamTest, AResetIsAnErrorThatNamesTheSide) {
  Connection server(*worker_, Side::server);
  worker_.run([&]() -> Task<> {
    peer_.reset();
    server.peer.reset();
    ReceiveBuffer in;
    const auto from_client = co_await stream_.receive(in, kNever);
    EXPECT_EQ(from_client.error(), make_error(ErrorKind::client_reset, Side::client, ECONNRESET));
    const auto to_server = co_await server.stream->readable(kNever);
    EXPECT_TRUE(to_server);
    char byte[1];
    EXPECT_EQ(server.stream->try_receive(byte).os_error(), ECONNRESET);
  });
}

TEST_F(SocketStreamTest, EveryWaitEndsAtItsDeadlineAndNotBefore) {
  fill_up();
  worker_.run([&]() -> Task<> {
    ReceiveBuffer in;
    TimePoint deadline = worker_->now() + 5ms;
    const auto received = co_await stream_.receive(in, deadline);
    EXPECT_EQ(received.error(), make_error(ErrorKind::timeout, Side::client));
    EXPECT_GE(worker_->now(), deadline);
    EXPECT_FALSE(in.buffer);

    deadline = worker_->now() + 5ms;
    EXPECT_EQ((co_await stream_.readable(deadline)).error().kind, ErrorKind::timeout);
    EXPECT_GE(worker_->now(), deadline);

    deadline = worker_->now() + 5ms;
    EXPECT_EQ((co_await stream_.writable(deadline)).error().kind, ErrorKind::timeout);
    EXPECT_GE(worker_->now(), deadline);

    deadline = worker_->now() + 5ms;
    EXPECT_EQ((co_await stream_.send("more", deadline)).error().kind, ErrorKind::timeout);
    EXPECT_GE(worker_->now(), deadline);
  });
}

TEST_F(SocketStreamTest, WhatComesInTimeDisarmsTheDeadline) {
  worker_.run([&]() -> Task<> {
    ReceiveBuffer in;
    peer_.send("x");
    EXPECT_TRUE(co_await stream_.readable(worker_->now() + 3ms));
    EXPECT_TRUE(co_await stream_.receive(in, worker_->now() + 3ms));
    // Waits past those deadlines, for another.
    EXPECT_EQ((co_await stream_.readable(worker_->now() + 10ms)).error().kind, ErrorKind::timeout);
    peer_.send("y");
    EXPECT_TRUE(co_await stream_.receive(in, worker_->now() + 10s));
    EXPECT_EQ(in.bytes(), "xy");
  });
}

TEST_F(SocketStreamTest, ABufferWithBytesInItSurvivesATimeout) {
  worker_.run([&]() -> Task<> {
    ReceiveBuffer in;
    peer_.send("kept");
    EXPECT_TRUE(co_await stream_.receive(in, kNever));
    EXPECT_FALSE(co_await stream_.receive(in, worker_->now() + 2ms));
    EXPECT_EQ(in.bytes(), "kept");
    peer_.send("!");
    EXPECT_TRUE(co_await stream_.receive(in, kNever));
    EXPECT_EQ(in.bytes(), "kept!");
  });
}

TEST_F(SocketStreamTest, SendsAMessageLargerThanTheKernelTakes) {
  const std::string message(std::size_t{32} << 20, 'm');
  Recorded waiter;
  ASSERT_EQ(stream_.start_send(message, kNever, waiter), Started::waiting);
  std::size_t received = 0;
  ASSERT_TRUE(worker_.turn_until([&] {
    received += std::exchange(peer_.read().in, {}).size();
    return waiter.calls == 1 && received == message.size();
  }));
  EXPECT_EQ(waiter.error.kind, ErrorKind::none);
}

TEST_F(SocketStreamTest, ACancelledReadLeavesTheStreamUsable) {
  ReceiveBuffer in;
  Recorded waiter;
  stream_.cancel_read();  // of nobody
  ASSERT_EQ(stream_.start_receive(in, kNever, waiter), Started::waiting);
  stream_.cancel_read();
  ASSERT_TRUE(worker_.turn_until([&] { return waiter.calls == 1; }));
  EXPECT_EQ(waiter.error, make_error(ErrorKind::canceled, Side::client));
  peer_.send("x");
  worker_.run([&]() -> Task<> { EXPECT_TRUE(co_await stream_.receive(in, kNever)); });
  EXPECT_EQ(in.bytes(), "x");
}

TEST_F(SocketStreamTest, AnAbortEndsBothDirectionsLaterAndForGood) {
  fill_up();
  Recorded reader;
  Recorded writer;
  ASSERT_EQ(stream_.start_readable(kNever, reader), Started::waiting);
  ASSERT_EQ(stream_.start_writable(kNever, writer), Started::waiting);
  const Error reason = make_error(ErrorKind::shutting_down, Side::weir);
  stream_.abort(reason);
  stream_.abort(make_error(ErrorKind::canceled));  // the first reason stands
  EXPECT_EQ(reader.calls + writer.calls, 0);
  ASSERT_TRUE(worker_.turn_until([&] { return reader.calls + writer.calls == 2; }));
  EXPECT_EQ(reader.error, reason);
  EXPECT_EQ(writer.error, reason);

  Recorded late;
  ReceiveBuffer in;
  EXPECT_EQ(stream_.start_receive(in, kNever, late), Started::completed);
  EXPECT_EQ(late.error, reason);
  char byte[1];
  EXPECT_EQ(stream_.try_receive(byte).os_error(), ECANCELED);
  EXPECT_EQ(send("x").os_error(), ECANCELED);
  EXPECT_EQ(stream_error(ECANCELED, Side::client).kind, ErrorKind::canceled);
}

TEST_F(SocketStreamTest, WhoeverIsCalledBackByAnAbortMayDestroyTheStream) {
  fill_up();
  Recorded writer([&] { client_.stream.reset(); });
  ASSERT_EQ(stream_.start_writable(kNever, writer), Started::waiting);
  stream_.abort(make_error(ErrorKind::canceled));
  ASSERT_TRUE(worker_.turn_until([&] { return writer.calls == 1; }));
  EXPECT_EQ(client_.stream, nullptr);
}

// One task owns the stream: the first direction's end makes it end the other, and destroy all.
TEST_F(SocketStreamTest, AnAbortOfBothDirectionsMayDestroyTheStreamInTheSecondCall) {
  fill_up();
  int calls = 0;
  const auto last_one_destroys = [&] {
    if (++calls == 2) client_.stream.reset();
  };
  Recorded reader(last_one_destroys);
  Recorded writer(last_one_destroys);
  ASSERT_EQ(stream_.start_readable(kNever, reader), Started::waiting);
  ASSERT_EQ(stream_.start_writable(kNever, writer), Started::waiting);
  stream_.abort(make_error(ErrorKind::canceled));
  ASSERT_TRUE(worker_.turn_until([&] { return calls == 2; }));
  worker_.turn_a_little();
}

TEST_F(SocketStreamTest, ADeadlinesCallbackMayDestroyTheStream) {
  ReceiveBuffer in;
  Recorded reader([&] { client_.stream.reset(); });
  ASSERT_EQ(stream_.start_receive(in, worker_->now() + 1ms, reader), Started::waiting);
  ASSERT_TRUE(worker_.turn_until([&] { return reader.calls == 1; }));
  EXPECT_EQ(reader.error.kind, ErrorKind::timeout);
}

TEST_F(SocketStreamTest, AStreamThatIsDestroyedBeforeItsAbortHasItsTurnIsForgotten) {
  Recorded reader;
  ASSERT_EQ(stream_.start_readable(kNever, reader), Started::waiting);
  stream_.abort(make_error(ErrorKind::shutting_down));
  stream_.cancel_read();
  EXPECT_EQ(reader.calls, 1);
  client_.stream.reset();
  worker_.turn_a_little();
}

TEST_F(SocketStreamTest, AHangUpWatchTellsOfAResetButNotOfAnEnd) {
  Recorded watch;
  stream_.watch_hang_up(watch);
  peer_.send("unread");
  peer_.shutdown_write();
  worker_.turn_a_little();
  EXPECT_EQ(watch.calls, 0);
  peer_.reset();
  ASSERT_TRUE(worker_.turn_until([&] { return watch.calls == 1; }));
  EXPECT_EQ(watch.error.kind, ErrorKind::client_reset);
  EXPECT_EQ(watch.error.side, Side::client);
  stream_.stop_watching();
}

TEST_F(SocketStreamTest, AHangUpThatIsKnownIsToldAtOnce) {
  Recorded first;
  stream_.watch_hang_up(first);
  peer_.reset();
  ASSERT_TRUE(worker_.turn_until([&] { return first.calls == 1; }));
  Recorded second;
  stream_.watch_hang_up(second);
  EXPECT_EQ(second.calls, 1);
  EXPECT_EQ(second.error.kind, ErrorKind::client_reset);
}

TEST_F(SocketStreamTest, AWatchThatWasStoppedTellsNothing) {
  Recorded watch;
  stream_.watch_hang_up(watch);
  stream_.stop_watching();
  peer_.reset();
  worker_.turn_a_little();
  EXPECT_EQ(watch.calls, 0);
  stream_.watch_hang_up(watch);  // and it may begin again
  stream_.stop_watching();
}

TEST_F(SocketStreamTest, AWatchOfAStreamAtRestTellsOfAnything) {
  for (const bool by_end : {false, true}) {
    Connection other(*worker_, Side::server);
    Recorded watch([&] { other.stream.reset(); });
    char byte[1];
    while (other.stream->watch_rest(watch) == Started::completed) {
      ASSERT_TRUE(other.stream->try_receive(byte).is_would_block());
    }
    worker_.turn_a_little();
    EXPECT_EQ(watch.calls, 0);
    by_end ? other.peer.shutdown_write() : other.peer.send("x");
    ASSERT_TRUE(worker_.turn_until([&] { return watch.calls == 1; }));
  }
}

TEST_F(SocketStreamTest, ConnectsToWhoListens) {
  const Fd listening = test::listening_socket();
  const Address address = test::local_address(listening.get());
  SocketStream stream(*worker_, *worker_->reactor().make_stream_socket(AF_INET).value(),
                      Side::server);
  worker_.run(
      [&]() -> Task<> { EXPECT_TRUE(co_await stream.connect(address, worker_->now() + 10s)); });
  Peer peer;
  ASSERT_TRUE(worker_.turn_until([&] {
    peer = test::accept_peer(listening.get());
    return peer.is_open();
  }));
  peer.send("hello");
  ReceiveBuffer in;
  worker_.run([&]() -> Task<> { EXPECT_TRUE(co_await stream.receive(in, kNever)); });
  EXPECT_EQ(in.bytes(), "hello");
}

TEST_F(SocketStreamTest, ARefusedConnectSaysSo) {
  const test::ClosedPort closed;
  SocketStream stream(*worker_, *worker_->reactor().make_stream_socket(AF_INET).value(),
                      Side::server);
  SocketStream over_unix(*worker_, *worker_->reactor().make_stream_socket(AF_UNIX).value(),
                         Side::server);
  const Address nobody = Address::parse("unix:/nonexistent/weir.sock").value();
  worker_.run([&]() -> Task<> {
    const auto connected = co_await stream.connect(closed.address, worker_->now() + 10s);
    EXPECT_EQ(connected.error(),
              make_error(ErrorKind::connect_refused, Side::server, ECONNREFUSED));
    const auto unix_connected = co_await over_unix.connect(nobody, worker_->now() + 10s);
    EXPECT_EQ(unix_connected.error(), make_error(ErrorKind::connect_refused, Side::server, ENOENT));
  });
}

// A full accept queue drops what comes: the connect is answered by nobody.
TEST_F(SocketStreamTest, AConnectEndsAtItsDeadline) {
  const test::SilentPort silent;
  SocketStream stream(*worker_, *worker_->reactor().make_stream_socket(AF_INET).value(),
                      Side::server);
  worker_.run([&]() -> Task<> {
    const TimePoint deadline = worker_->now() + 10ms;
    const auto connected = co_await stream.connect(silent.address, deadline);
    EXPECT_EQ(connected.error().kind, ErrorKind::timeout);
    EXPECT_GE(worker_->now(), deadline);
  });
}

TEST_F(SocketStreamTest, RunningOutOfBuffersIsWeirsOwnError) {
  TestWorker poor(0);
  Connection connection(*poor, Side::client);
  connection.peer.send("x");
  poor.run([&]() -> Task<> {
    ReceiveBuffer in;
    const auto received = co_await connection.stream->receive(in, kNever);
    EXPECT_EQ(received.error().kind, ErrorKind::buffers_exhausted);
    EXPECT_EQ(received.error().side, Side::weir);
  });
}

TEST_F(SocketStreamTest, AResetOnCloseReachesThePeer) {
  stream_.reset_on_close();
  client_.stream.reset();
  ASSERT_TRUE(worker_.turn_until([&] { return peer_.is_over(); }));
  EXPECT_EQ(peer_.os_error, ECONNRESET);
}

}  // namespace
}  // namespace weir::net
