#include "proxy/http/replay_body.h"

#include <array>
#include <deque>
#include <gtest/gtest.h>
#include <string>

namespace weir::proxy {
namespace {

using net::BodyEnd;
using net::BodyRead;

// A client that sends the pieces it is given; an empty deque blocks until `ends`.
class Client final : public net::HttpStream {
 public:
  std::deque<std::string> pieces;
  bool ends = true;

  BodyRead try_read_body(std::span<char>) noexcept override {
    if (pieces.empty()) return ends ? BodyRead::of({}, BodyEnd::last) : BodyRead{};
    given_ = std::move(pieces.front());
    pieces.pop_front();
    return BodyRead::of(given_, is_body_read() ? BodyEnd::last : BodyEnd::more);
  }
  bool is_body_read() const noexcept override { return pieces.empty() && ends; }
  Started start_body_readable(TimePoint, net::Waiter&) noexcept override {
    return Started::waiting;
  }
  void cancel_body_readable() noexcept override {}
  const http::FieldList& trailers() const noexcept override { return trailers_; }
  void set_trailers(const http::FieldList& fields) noexcept override { set_ = &fields; }
  net::ByteStream* raw() noexcept override { return nullptr; }
  std::string_view received() const noexcept override { return {}; }
  http::FieldList trailers_;
  const http::FieldList* set_ = nullptr;
  net::BodyWrite try_write_body(std::string_view, BodyEnd) noexcept override { return {}; }
  Started start_body_writable(TimePoint, net::Waiter&) noexcept override {
    return Started::waiting;
  }
  void reset(Error) noexcept override {}
  void watch_hang_up(net::Waiter&) noexcept override {}
  void stop_watching() noexcept override {}

 private:
  std::string given_;
};

class ReplayBodyTest : public testing::Test {
 protected:
  // Reads until the end, or until nothing is there.
  std::string read_all(ReplayBody& body) {
    std::string all;
    for (;;) {
      const BodyRead read = body.try_read_body(room_);
      if (read.status != BodyRead::Status::data) return all;
      all += read.data;
      if (read.end == BodyEnd::last) return all;
    }
  }
  BufferPool buffers_{std::size_t{1} << 20};
  Client client_;
  std::array<char, 4096> room_;
};

TEST_F(ReplayBodyTest, GivesASmallBodyAgainAsOftenAsItIsAsked) {
  client_.pieces = {"one ", "two ", "three"};
  ReplayBody body(buffers_, client_);
  for (int attempt = 0; attempt < 3; ++attempt) {
    body.rewind();
    EXPECT_EQ(read_all(body), "one two three");
    EXPECT_TRUE(body.is_rewindable());
  }
  EXPECT_EQ(body.received(), 13u);
}

TEST_F(ReplayBodyTest, GoesOnWithTheClientBehindWhatWasKept) {
  client_.pieces = {"first "};
  client_.ends = false;
  ReplayBody body(buffers_, client_);
  EXPECT_EQ(read_all(body), "first ");
  client_.pieces = {"second"};
  client_.ends = true;
  body.rewind();
  EXPECT_EQ(read_all(body), "first second");
}

TEST_F(ReplayBodyTest, ABodyThatDoesNotFitIsSentOnceAndKeepsNoMemory) {
  client_.pieces = {std::string(ReplayBody::kBytesMax, 'x'), "y"};
  ReplayBody body(buffers_, client_);
  EXPECT_EQ(read_all(body).size(), ReplayBody::kBytesMax + 1);
  EXPECT_FALSE(body.is_rewindable());
  EXPECT_EQ(buffers_.bytes_in_use(), 0u);
}

TEST_F(ReplayBodyTest, ABodyOfExactlyTheLimitIsKept) {
  client_.pieces = {std::string(ReplayBody::kBytesMax, 'x')};
  ReplayBody body(buffers_, client_);
  read_all(body);
  body.rewind();
  EXPECT_EQ(read_all(body).size(), ReplayBody::kBytesMax);
}

TEST_F(ReplayBodyTest, GivesItsMemoryBackWhenNothingWillBeSentAgain) {
  client_.pieces = {"small"};
  ReplayBody body(buffers_, client_);
  read_all(body);
  EXPECT_GT(buffers_.bytes_in_use(), 0u);
  body.stop_keeping();
  EXPECT_EQ(buffers_.bytes_in_use(), 0u);
  EXPECT_FALSE(body.is_rewindable());
}

TEST_F(ReplayBodyTest, WithoutABufferTheBodyIsSentOnce) {
  BufferPool none(0);
  client_.pieces = {"small"};
  ReplayBody body(none, client_);
  EXPECT_EQ(read_all(body), "small");
  EXPECT_FALSE(body.is_rewindable());
}

TEST_F(ReplayBodyTest, AnEmptyBodyNeedsNoMemory) {
  ReplayBody body(buffers_, client_);
  EXPECT_EQ(read_all(body), "");
  EXPECT_TRUE(body.is_rewindable());
  EXPECT_EQ(buffers_.bytes_in_use(), 0u);
}

}  // namespace
}  // namespace weir::proxy
