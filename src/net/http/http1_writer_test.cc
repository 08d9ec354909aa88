#include "net/http/http1_writer.h"

#include <gtest/gtest.h>

#include "net/http/fake_stream_test_support.h"
#include "net/net_test_support.h"

namespace weir::net {
namespace {

using http::Framing;
using test::FakeStream;
using test::TestWorker;

constexpr std::string_view kHead = "HEAD\r\n\r\n";

class Http1WriterTest : public testing::Test {
 protected:
  void begin(Framing framing) {
    const std::span<char> space = writer_.head_space(100);
    ASSERT_GE(space.size(), kHead.size());
    kHead.copy(space.data(), kHead.size());
    writer_.begin_message(kHead.size(), framing);
  }
  // Writes as BodyPump does: again with the rest as long as it would block.
  void write(std::string_view data, BodyEnd end) {
    for (int tries = 0; tries < 1000; ++tries) {
      const BodyWrite written = writer_.try_write_body(data, end);
      ASSERT_NE(written.status, BodyWrite::Status::failed);
      ASSERT_LE(written.taken, data.size());
      data.remove_prefix(written.taken);
      if (written.status == BodyWrite::Status::done) {
        ASSERT_TRUE(data.empty());
        return;
      }
      ASSERT_FALSE(writer_.is_message_written());
    }
    FAIL() << "never done";
  }

  TestWorker worker_;
  FakeStream stream_{*worker_, Side::client};
  Http1Writer writer_{*worker_, stream_};
};

TEST_F(Http1WriterTest, AHeadAloneIsOneSend) {
  begin(Framing::none);
  EXPECT_FALSE(writer_.is_message_written());
  worker_.run([&]() -> Task<> { EXPECT_TRUE(co_await writer_.send_head(kNever)); });
  writer_.release_head();
  EXPECT_EQ(stream_.sends, std::vector<std::string>{std::string(kHead)});
  EXPECT_TRUE(writer_.is_message_written());
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST_F(Http1WriterTest, AHeadAndASmallBodyAreOneSend) {
  begin(Framing::length);
  EXPECT_TRUE(stream_.sends.empty());
  write("body", BodyEnd::last);
  EXPECT_EQ(stream_.sends, std::vector<std::string>{"HEAD\r\n\r\nbody"});
  EXPECT_TRUE(writer_.is_message_written());
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST_F(Http1WriterTest, AHeadAndTheOnlyChunkAreOneSend) {
  begin(Framing::chunked);
  write("twelve bytes", BodyEnd::last);
  EXPECT_EQ(stream_.sends, std::vector<std::string>{"HEAD\r\n\r\nc\r\ntwelve bytes\r\n0\r\n\r\n"});
  EXPECT_TRUE(writer_.is_message_written());
}

// Wherever a send is cut short, with data and without.
TEST_F(Http1WriterTest, TrailersEndAChunkedBody) {
  std::array<http::Field, 2> storage;
  http::FieldList fields(storage);
  ASSERT_TRUE(fields.add({.name = "Sum", .value = "1"}) && fields.add({.name = "X", .value = ""}));
  const std::string trailers = "0\r\nSum: 1\r\nX: \r\n\r\n";
  for (const std::string data : {"", "three"}) {
    const std::string whole =
        std::string(kHead) + (data.empty() ? "" : "5\r\nthree\r\n") + trailers;
    for (std::size_t first = 0; first <= whole.size(); ++first) {
      begin(Framing::chunked);
      writer_.set_trailers(fields);
      stream_.takes = {first, 0};
      write(data, BodyEnd::last);
      ASSERT_EQ(stream_.sent(), whole) << first;
      ASSERT_TRUE(writer_.is_message_written());
      ASSERT_EQ(worker_.buffer_bytes(), 0u);
      stream_.sends.clear();
      stream_.takes.clear();
    }
    stream_.takes_after = 1;
    begin(Framing::chunked);
    writer_.set_trailers(fields);
    write(data, BodyEnd::last);
    EXPECT_EQ(stream_.sent(), whole);
    stream_.takes_after = SIZE_MAX;
    stream_.sends.clear();
  }
  // Another framing has no place for them.
  begin(Framing::length);
  writer_.set_trailers(fields);
  write("x", BodyEnd::last);
  EXPECT_EQ(stream_.sent(), "HEAD\r\n\r\nx");
}

TEST_F(Http1WriterTest, AnEmptyChunkedBodyIsItsLastChunk) {
  begin(Framing::chunked);
  write({}, BodyEnd::last);
  EXPECT_EQ(stream_.sends, std::vector<std::string>{"HEAD\r\n\r\n0\r\n\r\n"});
  EXPECT_TRUE(writer_.is_message_written());
}

TEST_F(Http1WriterTest, EveryWriteIsAChunk) {
  begin(Framing::chunked);
  write("one", BodyEnd::more);
  EXPECT_FALSE(writer_.is_message_written());
  write("two", BodyEnd::more);
  write({}, BodyEnd::last);
  EXPECT_EQ(stream_.sent(), "HEAD\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
}

TEST_F(Http1WriterTest, ABodyUpToTheCloseHasNoFraming) {
  begin(Framing::until_close);
  write("one", BodyEnd::more);
  write("two", BodyEnd::last);
  EXPECT_EQ(stream_.sent(), "HEAD\r\n\r\nonetwo");
  EXPECT_TRUE(writer_.is_message_written());
}

TEST_F(Http1WriterTest, AFlushSendsWhatIsHeldAndNothingElse) {
  for (const Framing framing : {Framing::length, Framing::chunked, Framing::until_close}) {
    stream_.sends.clear();
    begin(framing);
    write({}, BodyEnd::more);
    EXPECT_EQ(stream_.sent(), kHead);
    write({}, BodyEnd::more);
    EXPECT_EQ(stream_.sends.size(), 1u);
    EXPECT_FALSE(writer_.is_message_written());
    write("x", BodyEnd::last);
    EXPECT_TRUE(writer_.is_message_written());
  }
}

// The kernel may take any part of a send, and refuse the next one.
TEST_F(Http1WriterTest, ShortSendsAtEveryByteGiveTheSameBytes) {
  for (const Framing framing : {Framing::length, Framing::chunked, Framing::until_close}) {
    begin(framing);
    write("first piece", BodyEnd::more);
    write("second", BodyEnd::last);
    const std::string whole = stream_.sent();
    stream_.sends.clear();
    for (std::size_t first = 0; first <= whole.size(); ++first) {
      for (const std::size_t second : {std::size_t{0}, std::size_t{1}, std::size_t{7}}) {
        begin(framing);
        stream_.takes = {first, 0, second, 0};
        write("first piece", BodyEnd::more);
        write("second", BodyEnd::last);
        ASSERT_EQ(stream_.sent(), whole) << first << " " << second;
        ASSERT_TRUE(writer_.is_message_written());
        ASSERT_EQ(worker_.buffer_bytes(), 0u);
        stream_.sends.clear();
        stream_.takes.clear();
      }
    }
    stream_.takes_after = 1;
    begin(framing);
    write("first piece", BodyEnd::more);
    write("second", BodyEnd::last);
    EXPECT_EQ(stream_.sent(), whole);
    stream_.takes_after = SIZE_MAX;
    stream_.sends.clear();
  }
}

TEST_F(Http1WriterTest, AFailedSendFailsTheMessage) {
  begin(Framing::length);
  stream_.send_error = EPIPE;
  const BodyWrite written = writer_.try_write_body("body", BodyEnd::last);
  EXPECT_EQ(written.status, BodyWrite::Status::failed);
  EXPECT_EQ(written.error, make_error(ErrorKind::client_reset, Side::client, EPIPE));
  EXPECT_FALSE(writer_.is_message_written());
}

TEST_F(Http1WriterTest, AMessageThatFailedAtItsEndIsNotWritten) {
  begin(Framing::length);
  write("first", BodyEnd::more);
  stream_.send_error = EPIPE;
  EXPECT_EQ(writer_.try_write_body("last", BodyEnd::last).status, BodyWrite::Status::failed);
  EXPECT_FALSE(writer_.is_message_written());
}

TEST_F(Http1WriterTest, WithoutABufferThereIsNoSpaceForAHead) {
  TestWorker poor(0);
  FakeStream stream(*poor, Side::client);
  Http1Writer writer(*poor, stream);
  EXPECT_TRUE(writer.head_space(100).empty());
}

}  // namespace
}  // namespace weir::net
