#include "sim/network.h"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

using namespace std::chrono_literals;

class NetworkTest : public testing::Test {
 protected:
  static constexpr std::uint16_t kPort = 80;

  void run_until(TimePoint until) {
    while (network_.next_event() <= until) {
      network_.advance(network_.next_event());
      network_.run_event();
    }
    network_.advance(until);
  }
  void run_for(Duration duration) { run_until(network_.now() + duration); }
  void connect() {
    listening_ = &network_.listen(b_, kPort, 4);
    near_ = &network_.connect(a_, network_.address_of(b_, kPort));
    run_for(1s);
    far_ = listening_->accept();
    ASSERT_NE(far_, nullptr);
  }
  static std::string read(End& end) {
    std::array<char, 64> buffer;
    const IoCount count = end.receive(buffer);
    if (count.is_would_block()) return "(nothing)";
    if (count.is_failure()) return "(error)";
    return count.bytes() == 0 ? "(end)" : std::string(buffer.data(), count.bytes());
  }

  Trace trace_;
  Network network_{7, trace_};
  HostId a_ = network_.add_host("a");
  HostId b_ = network_.add_host("b");
  Listening* listening_ = nullptr;
  End* near_ = nullptr;
  End* far_ = nullptr;
};

TEST_F(NetworkTest, EventsComeInTheOrderOfTimeAndThenOfAsking) {
  std::string order;
  const TimePoint start = network_.now();
  network_.at(start + 2s, [&] { order += 'c'; });
  network_.at(start + 1s, [&] { order += 'a'; });
  network_.at(start + 1s, [&] { order += 'b'; });
  run_until(start + 3s);
  EXPECT_EQ(order, "abc");
}

TEST_F(NetworkTest, BytesArriveAfterTheLinksLatency) {
  network_.set_link(a_, b_, {.latency = 50ms, .jitter = 0ns});
  connect();
  near_->send(std::string_view("hello"));
  run_for(49ms);
  EXPECT_EQ(read(*far_), "(nothing)");
  run_for(10ms);
  EXPECT_EQ(read(*far_), "hello");
}

TEST_F(NetworkTest, WhatWasSentBeforeACloseArrivesBeforeTheEnd) {
  connect();
  near_->send(std::string_view("last"));
  near_->close();
  run_for(1s);
  EXPECT_EQ(read(*far_), "last");
  EXPECT_EQ(read(*far_), "(end)");
  EXPECT_FALSE(far_->is_hung_up());
  far_->close();
}

TEST_F(NetworkTest, AClogHoldsBytesUp) {
  connect();
  network_.clog(a_, b_, network_.now() + 5s);
  near_->send(std::string_view("late"));
  run_for(4900ms);
  EXPECT_EQ(read(*far_), "(nothing)");
  run_for(200ms);
  EXPECT_EQ(read(*far_), "late");
}

TEST_F(NetworkTest, WhatACutLinkLostIsSentAgain) {
  connect();
  network_.cut(a_, b_, network_.now() + 3s);
  near_->send(std::string_view("again"));
  run_for(2900ms);
  EXPECT_EQ(read(*far_), "(nothing)");
  run_for(10s);
  EXPECT_EQ(read(*far_), "again");
}

TEST_F(NetworkTest, SendingToAClosedEndIsAnsweredWithAReset) {
  connect();
  far_->close();
  run_for(1s);
  EXPECT_EQ(read(*near_), "(end)");
  near_->send(std::string_view("anybody?"));
  run_for(1s);
  EXPECT_EQ(near_->error(), ECONNRESET);
}

TEST_F(NetworkTest, AnEndThatVanishedSaysNothingUntilTheSenderGivesUp) {
  connect();
  far_->vanish();
  near_->send(std::string_view("anybody?"));
  run_for(60s);
  EXPECT_EQ(read(*near_), "(nothing)");
  run_for(10min);
  EXPECT_EQ(near_->error(), ETIMEDOUT);
}

TEST_F(NetworkTest, AHostThatLostPowerResetsOldConnectionsWhenItIsBack) {
  connect();
  network_.crash(b_, Crash::power);
  near_->send(std::string_view("anybody?"));
  run_for(5s);
  EXPECT_EQ(read(*near_), "(nothing)");
  network_.revive(b_);
  run_for(30s);
  EXPECT_EQ(near_->error(), ECONNRESET);
}

TEST_F(NetworkTest, AProcessThatDiesLeavesItsKernelToCloseAndRefuse) {
  connect();
  network_.crash(b_, Crash::process);
  run_for(1s);
  EXPECT_EQ(read(*near_), "(end)");
  End& next = network_.connect(a_, network_.address_of(b_, kPort));
  run_for(1s);
  EXPECT_EQ(next.phase(), End::Phase::failed);
  EXPECT_EQ(next.error(), ECONNREFUSED);
}

TEST_F(NetworkTest, AReaderThatDoesNotReadStopsTheSender) {
  connect();
  const std::string block(4096, 'x');
  std::size_t total = 0;
  for (int i = 0; i < 1000; ++i) {
    const IoCount count = near_->send(block);
    if (!count.is_would_block()) total += count.bytes();
    run_for(10ms);
  }
  EXPECT_LE(total, std::size_t{2} << 18);
  EXPECT_FALSE(near_->is_writable());
  while (read(*far_) != "(nothing)") run_for(10ms);
  EXPECT_TRUE(near_->is_writable());
}

TEST_F(NetworkTest, ClosingAListeningSocketResetsWhatIsQueued) {
  Listening& listening = network_.listen(b_, kPort, 4);
  End& end = network_.connect(a_, network_.address_of(b_, kPort));
  run_for(1s);
  EXPECT_EQ(end.phase(), End::Phase::open);
  listening.close();
  run_for(1s);
  EXPECT_EQ(end.error(), ECONNRESET);
}

}  // namespace
}  // namespace weir::sim
