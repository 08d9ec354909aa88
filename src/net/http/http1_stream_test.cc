#include "net/http/http1_stream.h"

#include <gtest/gtest.h>

#include "net/http/fake_stream_test_support.h"
#include "net/net_test_support.h"

namespace weir::net {
namespace {

using http::Framing;
using http::Persistence;
using test::FakeStream;
using test::TestWorker;

class Http1ClientSideTest : public testing::Test {
 protected:
  Result<void> read_head(http::RequestHead& head) {
    Result<void> result;
    worker_.run([&]() -> Task<> { result = co_await client_.read_head(head, arena_, kNever); });
    return result;
  }
  Result<void> write_head(const http::ResponseHead& head, BodyFollows follows) {
    Result<void> result;
    worker_.run([&]() -> Task<> { result = co_await client_.write_head(head, follows, kNever); });
    return result;
  }
  static http::ResponseHead ok(Framing framing, std::uint64_t bytes = 0) {
    http::ResponseHead head;
    head.status = 200;
    head.reason = "OK";
    head.body = {framing, bytes};
    return head;
  }

  TestWorker worker_;
  FakeStream stream_{*worker_, Side::client};
  http1::HeadLimits limits_{.head_bytes = 4096, .fields = 16};
  Arena arena_{worker_->buffers()};
  Http1ClientSide client_{*worker_, stream_, limits_};
  http::RequestHead request_;
};

TEST_F(Http1ClientSideTest, ReadsAHeadWhereverItIsCut) {
  const std::string head = "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t cut = 1; cut < head.size(); ++cut) {
    stream_.incoming = {head.substr(0, cut), head.substr(cut)};
    ASSERT_TRUE(read_head(request_)) << cut;
    EXPECT_EQ(request_.path, "/a");
    EXPECT_EQ(request_.query, "b");
    EXPECT_EQ(request_.authority, "x");
    EXPECT_EQ(request_.body.bytes, 3u);
    std::string body;
    char into[10];
    while (!client_.is_body_read()) body += client_.try_read_body(into).data;
    EXPECT_EQ(body, "abc");
    EXPECT_FALSE(client_.has_pipelined());
    client_.finish_exchange();
    arena_.release();
    EXPECT_EQ(worker_.buffer_bytes(), 0u);
  }
}

TEST_F(Http1ClientSideTest, KeepsWhatWasPipelined) {
  stream_.incoming = {"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3"};
  ASSERT_TRUE(read_head(request_));
  EXPECT_EQ(request_.path, "/1");
  EXPECT_TRUE(client_.has_pipelined());
  client_.finish_exchange();
  worker_.run([&]() -> Task<> { EXPECT_TRUE(co_await client_.request_begun(kNever)); });
  ASSERT_TRUE(read_head(request_));
  EXPECT_EQ(request_.path, "/2");
  client_.finish_exchange();
  stream_.incoming = {" HTTP/1.1\r\nHost: x\r\n\r\n"};
  ASSERT_TRUE(read_head(request_));
  EXPECT_EQ(request_.path, "/3");
  EXPECT_FALSE(client_.has_pipelined());
}

TEST_F(Http1ClientSideTest, AHeadMayGrowToTheLimitAndNoFurther) {
  const auto head_of = [](std::size_t bytes) {
    const std::string start = "GET / HTTP/1.1\r\nHost: x\r\nA: ";
    return start + std::string(bytes - start.size() - 4, 'a') + "\r\n\r\n";
  };
  stream_.incoming = {head_of(4096)};
  EXPECT_TRUE(read_head(request_));
  client_.finish_exchange();
  stream_.incoming = {head_of(4097)};
  EXPECT_EQ(read_head(request_).error().kind, ErrorKind::head_too_large);
}

TEST_F(Http1ClientSideTest, AHeadThatDoesNotComeIsTheClientsFault) {
  stream_.incoming = {"GET / HT"};
  EXPECT_EQ(read_head(request_).error().kind, ErrorKind::client_head_timeout);
  stream_.ends = true;
  EXPECT_EQ(read_head(request_).error().kind, ErrorKind::client_closed);
}

TEST_F(Http1ClientSideTest, AnErrorNamesTheClient) {
  stream_.incoming = {"GET / HTTP/1.1\r\n\r\n"};
  const auto read = read_head(request_);
  EXPECT_EQ(read.error().kind, ErrorKind::bad_request);
  EXPECT_EQ(read.error().side, Side::client);
}

TEST_F(Http1ClientSideTest, AResponseWithASmallBodyIsOneSend) {
  stream_.incoming = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n"};
  ASSERT_TRUE(read_head(request_));
  ASSERT_TRUE(write_head(ok(Framing::length, 5), BodyFollows::yes));
  EXPECT_EQ(client_.try_write_body("hello", BodyEnd::last).status, BodyWrite::Status::done);
  ASSERT_EQ(stream_.sends.size(), 1u);
  EXPECT_EQ(stream_.sent(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(client_.is_reusable());
}

TEST_F(Http1ClientSideTest, ABodyWithoutAnAnnouncedEndIsSentInChunks) {
  for (const Framing framing : {Framing::chunked, Framing::until_close}) {
    stream_.sends.clear();
    stream_.incoming = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n"};
    ASSERT_TRUE(read_head(request_));
    ASSERT_TRUE(write_head(ok(framing), BodyFollows::yes));
    client_.try_write_body("hi", BodyEnd::last);
    EXPECT_EQ(stream_.sent(),
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    EXPECT_TRUE(client_.is_reusable());
    client_.finish_exchange();
  }
}

TEST_F(Http1ClientSideTest, AClientOfHttp10GetsNoChunks) {
  for (const Framing framing : {Framing::chunked, Framing::until_close}) {
    stream_.sends.clear();
    stream_.incoming = {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"};
    ASSERT_TRUE(read_head(request_));
    ASSERT_TRUE(write_head(ok(framing), BodyFollows::yes));
    client_.try_write_body("hi", BodyEnd::last);
    EXPECT_EQ(stream_.sent(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi");
    EXPECT_FALSE(client_.is_reusable());
    client_.finish_exchange();
  }
}

TEST_F(Http1ClientSideTest, AClientOfHttp10ThatAskedIsKept) {
  stream_.incoming = {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"};
  ASSERT_TRUE(read_head(request_));
  ASSERT_TRUE(write_head(ok(Framing::length, 0), BodyFollows::no));
  EXPECT_EQ(stream_.sent(),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(client_.is_reusable());
}

TEST_F(Http1ClientSideTest, SaysCloseWhenEitherSideWantsIt) {
  stream_.incoming = {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"};
  ASSERT_TRUE(read_head(request_));
  ASSERT_TRUE(write_head(ok(Framing::length, 0), BodyFollows::no));
  EXPECT_EQ(stream_.sent(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_FALSE(client_.is_reusable());
  client_.finish_exchange();

  stream_.sends.clear();
  stream_.incoming = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n"};
  ASSERT_TRUE(read_head(request_));
  http::ResponseHead last = ok(Framing::length, 0);
  last.persistence = Persistence::close;
  ASSERT_TRUE(write_head(last, BodyFollows::no));
  EXPECT_EQ(stream_.sent(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_FALSE(client_.is_reusable());
}

TEST_F(Http1ClientSideTest, AnInterimResponseComesBeforeTheFinalOne) {
  stream_.incoming = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n"};
  ASSERT_TRUE(read_head(request_));
  http::ResponseHead interim;
  interim.status = 103;
  interim.reason = "Early Hints";
  ASSERT_TRUE(write_head(interim, BodyFollows::no));
  ASSERT_TRUE(write_head(ok(Framing::length, 2), BodyFollows::yes));
  client_.try_write_body("hi", BodyEnd::last);
  EXPECT_EQ(stream_.sent(),
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_TRUE(client_.is_reusable());
}

TEST_F(Http1ClientSideTest, IsNotReusableBeforeBothMessagesAreComplete) {
  stream_.incoming = {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab"};
  ASSERT_TRUE(read_head(request_));
  ASSERT_TRUE(write_head(ok(Framing::length, 2), BodyFollows::yes));
  client_.try_write_body("hi", BodyEnd::last);
  EXPECT_FALSE(client_.is_reusable());
  char into[10];
  client_.try_read_body(into);
  EXPECT_FALSE(client_.is_reusable());
  stream_.incoming = {"c"};
  client_.try_read_body(into);
  EXPECT_TRUE(client_.is_reusable());
}

TEST_F(Http1ClientSideTest, AClientThatTakesNoHeadIsToldApart) {
  stream_.incoming = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n"};
  ASSERT_TRUE(read_head(request_));
  stream_.takes_after = 0;
  const auto written = write_head(ok(Framing::length, 0), BodyFollows::no);
  EXPECT_EQ(written.error().kind, ErrorKind::client_write_timeout);
}

class Http1ServerSideTest : public testing::Test {
 protected:
  // Sends a request with this method and reads the response's head.
  Result<void> exchange_heads(http::Method method = http::Method::get) {
    http::RequestHead request;
    request.method = method;
    request.method_text = method == http::Method::head ? "HEAD" : "GET";
    request.path = "/";
    request.authority = "x";
    Result<void> result;
    worker_.run([&]() -> Task<> {
      result = co_await server_.write_head(request, BodyFollows::no, kNever);
      if (result) result = co_await server_.read_head(response_, arena_, kNever);
    });
    return result;
  }
  Result<void> read_head() {
    Result<void> result;
    worker_.run(
        [&]() -> Task<> { result = co_await server_.read_head(response_, arena_, kNever); });
    return result;
  }
  std::string read_body() {
    std::string body;
    char into[10];
    while (!server_.is_body_read()) {
      const BodyRead read = server_.try_read_body(into);
      if (read.status != BodyRead::Status::data) break;
      body += read.data;
    }
    return body;
  }

  TestWorker worker_;
  FakeStream stream_{*worker_, Side::server};
  http1::HeadLimits limits_;
  Arena arena_{worker_->buffers()};
  Http1ServerSide server_{*worker_, stream_, limits_};
  http::ResponseHead response_;
};

TEST_F(Http1ServerSideTest, SendsTheRequestInOneSend) {
  stream_.incoming = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
  ASSERT_TRUE(exchange_heads());
  EXPECT_EQ(stream_.sends, std::vector<std::string>{"GET / HTTP/1.1\r\nHost: x\r\n\r\n"});
}

TEST_F(Http1ServerSideTest, ReadsAHeadWhereverItIsCut) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t cut = 1; cut < head.size(); ++cut) {
    stream_.incoming = {head.substr(0, cut), head.substr(cut)};
    ASSERT_TRUE(exchange_heads()) << cut;
    EXPECT_TRUE(server_.has_response_begun());
    EXPECT_EQ(read_body(), "abc");
    EXPECT_TRUE(server_.is_reusable());
    server_.finish_exchange();
  }
  arena_.release();
  EXPECT_EQ(worker_.buffer_bytes(), 0u);
}

TEST_F(Http1ServerSideTest, TheFinalHeadComesBehindInterimOnes) {
  stream_.incoming = {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: l\r\n\r\nHTTP/1.1 2",
                      "00 OK\r\nContent-Length: 2\r\n\r\nhi"};
  ASSERT_TRUE(exchange_heads());
  EXPECT_EQ(response_.status, 100);
  EXPECT_FALSE(server_.is_reusable());
  ASSERT_TRUE(read_head());
  EXPECT_EQ(response_.status, 103);
  ASSERT_TRUE(read_head());
  EXPECT_EQ(response_.status, 200);
  EXPECT_EQ(read_body(), "hi");
  EXPECT_TRUE(server_.is_reusable());
}

TEST_F(Http1ServerSideTest, WhatComesBehindAResponseMakesItNotReusable) {
  for (const char* response :
       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiX", "HTTP/1.1 204 N\r\n\r\nX",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"}) {
    FakeStream stream(*worker_, Side::server);
    Http1ServerSide server(*worker_, stream, limits_);
    stream.incoming = {response};
    http::RequestHead request;
    request.method = http::Method::get;
    request.method_text = "GET";
    request.path = "/";
    worker_.run([&]() -> Task<> {
      EXPECT_TRUE(co_await server.write_head(request, BodyFollows::no, kNever));
      EXPECT_TRUE(co_await server.read_head(response_, arena_, kNever));
    });
    char into[10];
    while (!server.is_body_read()) server.try_read_body(into);
    EXPECT_FALSE(server.is_reusable()) << response;
  }
}

TEST_F(Http1ServerSideTest, IsNotReusableWhenTheServerSaysCloseOrKnowsNoBetter) {
  for (const char* response : {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                               "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    stream_.incoming = {response};
    ASSERT_TRUE(exchange_heads());
    EXPECT_FALSE(server_.is_reusable());
    server_.finish_exchange();
  }
  stream_.incoming = {"HTTP/1.1 200 OK\r\n\r\nto the end"};
  stream_.ends = true;
  ASSERT_TRUE(exchange_heads());
  EXPECT_EQ(read_body(), "to the end");
  EXPECT_FALSE(server_.is_reusable());
}

TEST_F(Http1ServerSideTest, AnAnswerToHeadHasNoBody) {
  stream_.incoming = {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"};
  ASSERT_TRUE(exchange_heads(http::Method::head));
  EXPECT_TRUE(server_.is_body_read());
  EXPECT_TRUE(server_.is_reusable());
}

TEST_F(Http1ServerSideTest, AnEndBeforeTheFirstByteCanBeToldFromOneBehindIt) {
  stream_.ends = true;
  EXPECT_EQ(exchange_heads().error(), make_error(ErrorKind::server_closed, Side::server));
  EXPECT_FALSE(server_.has_response_begun());
  stream_.incoming = {"HTT"};
  EXPECT_EQ(exchange_heads().error(), make_error(ErrorKind::server_closed, Side::server));
  EXPECT_TRUE(server_.has_response_begun());
}

TEST_F(Http1ServerSideTest, GarbageIsABadResponse) {
  stream_.incoming = {"SSH-2.0\r\n"};
  const auto read = exchange_heads();
  EXPECT_EQ(read.error().kind, ErrorKind::bad_response);
  EXPECT_EQ(read.error().side, Side::server);
}

TEST_F(Http1ServerSideTest, AHeadThatDoesNotComeMayStillBeWaitedFor) {
  stream_.incoming = {"HTTP/1.1 20"};
  EXPECT_EQ(exchange_heads().error().kind, ErrorKind::response_head_timeout);
  stream_.incoming = {"0 OK\r\nContent-Length: 0\r\n\r\n"};
  ASSERT_TRUE(read_head());
  EXPECT_EQ(response_.status, 200);
  EXPECT_TRUE(server_.is_reusable());
}

TEST_F(Http1ServerSideTest, AServerThatTakesNoRequestIsToldApart) {
  stream_.takes_after = 0;
  EXPECT_EQ(exchange_heads().error().kind, ErrorKind::server_write_timeout);
}

}  // namespace
}  // namespace weir::net
