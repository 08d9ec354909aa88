#include "net/http/http1_reader.h"

#include <gtest/gtest.h>

#include "net/http/fake_stream_test_support.h"
#include "net/net_test_support.h"
#include "protocol/http1/trailers.h"

namespace weir::net {
namespace {

using http::Framing;
using test::FakeStream;
using test::TestWorker;

// How a body came out of a reader.
struct BodyText {
  std::string text;
  bool is_whole = false;
  int would_blocks = 0;
  Error error;
};

class Http1ReaderTest : public testing::Test {
 protected:
  explicit Http1ReaderTest(Side side = Side::client) : stream_(*worker_, side) {}

  // Takes the next piece of the stream as the head, with whatever comes in the same piece.
  void read_head(std::size_t head_bytes, http::BodyLength body) {
    Waits waits;
    ASSERT_EQ(reader_.start_receive_more(32 * 1024, kNever, waits), Started::completed);
    ASSERT_EQ(waits.error, Error{});
    reader_.begin_body(head_bytes, body, arena_);
  }
  // In pieces of the caller's buffer.
  BodyText read_body(std::size_t into_bytes = 1000) {
    std::string into(into_bytes, '?');
    BodyText body;
    while (body.would_blocks < 100) {
      const BodyRead read = reader_.try_read_body(into);
      if (read.status == BodyRead::Status::would_block) {
        ++body.would_blocks;
        if (stream_.incoming.empty()) return body;
        continue;
      }
      if (read.status == BodyRead::Status::failed) {
        body.error = read.error;
        return body;
      }
      body.text += read.data;
      body.is_whole = read.end == BodyEnd::last;
      EXPECT_EQ(reader_.is_body_read(), body.is_whole);
      if (body.is_whole) return body;
    }
    return body;
  }

  struct Waits : Waiter {
    Waits() : Waiter([](Waiter&) noexcept {}) {}
  };
  TestWorker worker_;
  Arena arena_{worker_->buffers()};
  FakeStream stream_;
  Http1Reader reader_{*worker_, stream_};
};

class Http1ReaderOfServerTest : public Http1ReaderTest {
 protected:
  Http1ReaderOfServerTest() : Http1ReaderTest(Side::server) {}
};

TEST_F(Http1ReaderTest, AMessageWithoutABodyIsReadAtOnce) {
  for (const http::BodyLength body : {http::BodyLength{}, {Framing::length, 0}}) {
    stream_.incoming = {"HEAD"};
    read_head(4, body);
    EXPECT_TRUE(reader_.is_body_read());
    EXPECT_TRUE(read_body().is_whole);
    EXPECT_FALSE(reader_.has_surplus());
    reader_.finish_message();
    EXPECT_EQ(worker_.buffer_bytes(), 0u);
  }
}

TEST_F(Http1ReaderTest, ABodyOfKnownLengthIsTheSameWhereverItIsCut) {
  const std::string message = "HEADbody of 16 byteNEXT";
  for (std::size_t cut = 4; cut <= message.size(); ++cut) {
    for (const std::size_t into : {1, 5, 100}) {
      stream_.incoming = {message.substr(0, cut), ""};
      if (cut < message.size()) stream_.incoming.push_back(message.substr(cut));
      read_head(4, {Framing::length, 15});
      const BodyText body = read_body(into);
      EXPECT_EQ(body.text, "body of 16 byte");
      EXPECT_TRUE(body.is_whole);
      EXPECT_EQ(body.error, Error{});
      // Nothing of the next message is read off the socket, but what came with the head is kept.
      reader_.finish_message();
      const std::size_t came_with_head = cut > 19 ? cut - 19 : 0;
      EXPECT_EQ(reader_.bytes(), std::string_view("NEXT").substr(0, came_with_head));
      EXPECT_EQ(reader_.has_surplus(), came_with_head != 0);
      reader_.begin_body(came_with_head, {}, arena_);
      reader_.finish_message();
      EXPECT_EQ(worker_.buffer_bytes(), 0u);
    }
  }
}

TEST_F(Http1ReaderTest, AChunkedBodyIsTheSameWhereverItIsCut) {
  const std::string message =
      "HEAD5\r\nhello\r\n1;x=\"y\"\r\n,\r\n6\r\n world\r\n0\r\nSum: t\r\nHost: h\r\nX:\r\n\r\nNEXT";
  const std::size_t next = message.size() - 4;
  for (std::size_t first = 4; first <= message.size(); ++first) {
    for (std::size_t second = first; second <= message.size(); ++second) {
      stream_.incoming = {message.substr(0, first)};
      if (second > first) stream_.incoming.push_back(message.substr(first, second - first));
      stream_.incoming.emplace_back();
      if (second < message.size()) stream_.incoming.push_back(message.substr(second));
      read_head(4, {Framing::chunked, 0});
      const BodyText body = read_body();
      ASSERT_EQ(body.text, "hello, world") << first << " " << second;
      ASSERT_TRUE(body.is_whole);
      // Host is none that may come behind a body.
      ASSERT_EQ(reader_.trailers().size(), 2u);
      ASSERT_EQ(reader_.trailers().begin()[0].name, "Sum");
      ASSERT_EQ(reader_.trailers().begin()[0].value, "t");
      ASSERT_EQ(reader_.trailers().begin()[1].name, "X");
      // The piece that ended the body may hold some of the next message, which is kept.
      reader_.finish_message();
      ASSERT_TRUE(std::string_view("NEXT").starts_with(reader_.bytes()));
      if (second >= next || first >= next) {
        const std::size_t piece_end = first >= next ? first : second;
        ASSERT_EQ(reader_.bytes().size(), piece_end - next);
      }
      reader_.begin_body(reader_.bytes().size(), {}, arena_);
      reader_.finish_message();
      arena_.release();
      ASSERT_EQ(worker_.buffer_bytes(), 0u);
    }
  }
}

TEST_F(Http1ReaderTest, ABodyWithoutTrailersTakesNoMemoryForThem) {
  for (const std::string_view end : {"0\r\n\r\n", "0\r\n\r", "0\r\n"}) {
    stream_.incoming = {"HEAD", std::string(end)};
    const std::string rest = std::string("0\r\n\r\n").substr(end.size());
    if (!rest.empty()) stream_.incoming.push_back(rest);
    read_head(4, {Framing::chunked, 0});
    EXPECT_TRUE(read_body().is_whole);
    EXPECT_EQ(reader_.trailers().size(), 0u);
    reader_.finish_message();
    EXPECT_EQ(worker_.buffer_bytes(), 0u);
  }
}

TEST_F(Http1ReaderTest, TooManyTrailersAreAnError) {
  std::string section = "0\r\n";
  for (std::size_t i = 0; i <= http1::kTrailerFieldsMax; ++i) section += "a:\r\n";
  stream_.incoming = {"HEAD", section + "\r\n"};
  read_head(4, {Framing::chunked, 0});
  const Error error = read_body().error;
  EXPECT_EQ(error.kind, ErrorKind::bad_request_body);
  EXPECT_EQ(http1::find_rule(error), http1::Rule::trailers_too_large);
}

TEST_F(Http1ReaderTest, AllChunksAtHandComeAsOnePiece) {
  stream_.incoming = {"HEAD", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"};
  read_head(4, {Framing::chunked, 0});
  const BodyRead read = reader_.try_read_body({});
  EXPECT_EQ(read.data, "abc");
  EXPECT_EQ(read.end, BodyEnd::last);
}

TEST_F(Http1ReaderTest, TheHeadStaysInPlaceWhileTheBodyIsRead) {
  stream_.incoming = {"HEAD3\r\nabc\r\n", "3\r\ndef\r\n0\r\n\r\n"};
  Waits waits;
  ASSERT_EQ(reader_.start_receive_more(32 * 1024, kNever, waits), Started::completed);
  const std::string_view head = reader_.bytes().substr(0, 4);
  reader_.begin_body(4, {Framing::chunked, 0}, arena_);
  EXPECT_EQ(read_body().text, "abcdef");
  EXPECT_EQ(head, "HEAD");
}

TEST_F(Http1ReaderTest, NoChunksAreHeldWhileThereIsNothingToRead) {
  stream_.incoming = {"HEAD", ""};
  read_head(4, {Framing::chunked, 0});
  const std::size_t with_head = worker_.buffer_bytes();
  EXPECT_EQ(reader_.try_read_body({}).status, BodyRead::Status::would_block);
  EXPECT_EQ(worker_.buffer_bytes(), with_head);
}

TEST_F(Http1ReaderTest, BrokenChunksAreTheClientsFault) {
  stream_.incoming = {"HEAD5\r\nhelloX"};
  read_head(4, {Framing::chunked, 0});
  EXPECT_EQ(reader_.try_read_body({}).status, BodyRead::Status::failed);
  EXPECT_FALSE(reader_.is_body_read());
  stream_.incoming = {"zz\r\n"};
}

TEST_F(Http1ReaderOfServerTest, BrokenChunksAreTheServersFault) {
  stream_.incoming = {"HEAD", "zz\r\n"};
  read_head(4, {Framing::chunked, 0});
  const BodyText body = read_body();
  EXPECT_EQ(body.error.kind, ErrorKind::bad_response_body);
  EXPECT_EQ(body.error.side, Side::server);
}

TEST_F(Http1ReaderTest, AnEndWithinABodyIsAnError) {
  for (const http::BodyLength length :
       {http::BodyLength{Framing::length, 10}, {Framing::chunked, 0}}) {
    stream_.incoming = {"HEAD", "5\r\nhe"};
    stream_.ends = true;
    read_head(4, length);
    const BodyText body = read_body();
    EXPECT_FALSE(body.is_whole);
    EXPECT_EQ(body.error, make_error(ErrorKind::client_closed, Side::client));
    reader_.finish_message();
  }
}

TEST_F(Http1ReaderOfServerTest, ABodyUpToTheCloseEndsThere) {
  stream_.incoming = {"HEADsome", "", " more"};
  stream_.ends = true;
  read_head(4, {Framing::until_close, 0});
  const BodyText body = read_body();
  EXPECT_EQ(body.text, "some more");
  EXPECT_TRUE(body.is_whole);
}

TEST_F(Http1ReaderOfServerTest, AResetIsNoEndOfABodyUpToTheClose) {
  stream_.incoming = {"HEADsome"};
  stream_.receive_error = ECONNRESET;
  read_head(4, {Framing::until_close, 0});
  const BodyText body = read_body();
  EXPECT_FALSE(body.is_whole);
  EXPECT_EQ(body.error, make_error(ErrorKind::server_reset, Side::server, ECONNRESET));
}

TEST_F(Http1ReaderTest, TheBufferGrowsUntilTheHeadFits) {
  const std::string head(200 * 1024, 'h');
  stream_.incoming = {head};
  Waits waits;
  while (reader_.bytes().size() < head.size()) {
    ASSERT_EQ(reader_.start_receive_more(256 * 1024, kNever, waits), Started::completed);
    ASSERT_EQ(waits.error, Error{});
  }
  EXPECT_EQ(reader_.bytes(), head);
  reader_.begin_body(head.size(), {}, arena_);
  reader_.finish_message();
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST(Http1ReaderWithoutBuffers, SaysSo) {
  TestWorker poor(16 * 1024);
  FakeStream stream(*poor, Side::client);
  Arena arena(poor->buffers());
  Http1Reader reader(*poor, stream);
  stream.incoming = {std::string(16 * 1024, 'h'), "more"};
  struct Waits : Waiter {
    Waits() : Waiter([](Waiter&) noexcept {}) {}
  } waits;
  ASSERT_EQ(reader.start_receive_more(256 * 1024, kNever, waits), Started::completed);
  ASSERT_EQ(waits.error, Error{});
  ASSERT_EQ(reader.start_receive_more(256 * 1024, kNever, waits), Started::completed);
  EXPECT_EQ(waits.error, make_error(ErrorKind::buffers_exhausted, Side::weir));
  // A chunked body needs one as well.
  reader.begin_body(reader.bytes().size(), {Framing::chunked, 0}, arena);
  EXPECT_EQ(reader.try_read_body({}).error.kind, ErrorKind::buffers_exhausted);
}

}  // namespace
}  // namespace weir::net
