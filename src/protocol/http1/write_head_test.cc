#include "protocol/http1/write_head.h"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/random.h"
#include "protocol/http1/head_test.h"

namespace weir::http1 {
namespace {

using http::Field;
using http::FieldId;
using http::Framing;
using http::Scope;
using test::Message;
using test::Outcome;
using test::Reader;

std::string written(const http::ResponseHead& head, ConnectionField connection) {
  std::array<char, 1024> out;
  return {out.data(), write_response_head(out, head, connection).value()};
}

std::string forwarded(const Reader& reader, std::string_view bytes) {
  const Outcome outcome = test::parse(reader, bytes);
  EXPECT_EQ(outcome.status, ParseStatus::complete) << bytes;
  return outcome.written;
}

TEST(WriteRequestHead, WritesHostAndFramingAnewAndLeavesOutWhatEndsHere) {
  EXPECT_EQ(forwarded({},
                      "POST http://Real.example/a?b HTTP/1.0\r\nhost: fake\r\nconnection: "
                      "keep-alive,x\r\nX: 1\r\nKeep-Alive: 2\r\ncontent-length: 007\r\nY:3 \r\n"
                      "\r\n"),
            "POST /a?b HTTP/1.1\r\nHost: Real.example\r\nY: 3\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(forwarded({}, "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"),
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(WriteRequestHead, WritesTheTargetInTheFormThatServersTake) {
  const auto first_line = [](std::string_view line) {
    const std::string head = forwarded({}, std::string(line) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    return head.substr(0, head.find(" HTTP/1.1"));
  };
  EXPECT_EQ(first_line("GET /?"), "GET /?");
  EXPECT_EQ(first_line("GET http://x"), "GET /");
  EXPECT_EQ(first_line("GET http://x?q"), "GET /?q");
  EXPECT_EQ(first_line("OPTIONS *"), "OPTIONS *");
  EXPECT_EQ(first_line("OPTIONS http://x"), "OPTIONS *");
  EXPECT_EQ(first_line("CONNECT x:443"), "CONNECT x:443");
}

TEST(WriteResponseHead, WritesFramingAndConnectionAnew) {
  std::array<Field, 4> storage;
  http::ResponseHead head;
  head.status = 200;
  head.reason = "OK";
  head.fields = http::FieldList(storage);
  ASSERT_TRUE(head.fields.add({.name = "A", .value = "b"}));
  ASSERT_TRUE(head.fields.add({.name = "Hop", .value = "x", .scope = Scope::hop_by_hop}));
  head.body = {.framing = Framing::length, .bytes = 10};
  EXPECT_EQ(written(head, ConnectionField::omit),
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\n\r\n");
  head.body = {.framing = Framing::chunked};
  EXPECT_EQ(written(head, ConnectionField::keep_alive),
            "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n"
            "\r\n");
  head.body = {.framing = Framing::until_close};
  EXPECT_EQ(written(head, ConnectionField::close),
            "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n");
}

TEST(WriteResponseHead, WritesTheConnectionFieldOfItsCaller) {
  std::array<Field, 2> storage;
  http::ResponseHead head;
  head.status = 101;
  head.fields = http::FieldList(storage);
  ASSERT_TRUE(
      head.fields.add({.name = "Connection", .value = "upgrade", .id = FieldId::connection}));
  EXPECT_EQ(written(head, ConnectionField::omit), "HTTP/1.1 101 \r\nConnection: upgrade\r\n\r\n");
}

TEST(WriteResponseHead, KeepsTheLengthOfABodyThatIsNotSent) {
  Reader reader{.message = Message::response, .request_method = http::Method::head};
  EXPECT_EQ(forwarded(reader, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  reader.request_method = http::Method::get;
  EXPECT_EQ(forwarded(reader, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(forwarded(reader, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
            "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(WriteHead, SaysWhenTheHeadDoesNotFit) {
  http::ResponseHead response;
  response.status = 200;
  response.reason = "OK";
  response.body = {.framing = Framing::length, .bytes = 12345};
  const std::size_t response_bytes = written(response, ConnectionField::close).size();
  http::RequestHead request;
  request.method_text = "GET";
  request.path = "/";
  request.authority = "h";
  request.body = {.framing = Framing::length, .bytes = 12345};
  std::array<char, 100> enough;
  const std::size_t request_bytes = write_request_head(enough, request).value();
  for (std::size_t size = 0; size <= enough.size(); ++size) {
    std::vector<char> out(size);
    EXPECT_EQ(write_response_head(out, response, ConnectionField::close).has_value(),
              size >= response_bytes);
    EXPECT_EQ(write_request_head(out, request).has_value(), size >= request_bytes);
  }
}

// Heads made of random parts.
std::string random_head(Random& random, Message message) {
  const auto any = [&](auto&... choices) {
    const std::string_view all[] = {choices...};
    return std::string(all[random.below(sizeof...(choices))]);
  };
  std::string head = any("", "", "\r\n");
  if (message == Message::request) {
    head += any("GET", "POST", "OPTIONS", "X-METHOD") + ' ' +
            any("/", "/a/b?c=d", "/?", "http://a.b:80/x", "HTTPS://c?d") + " HTTP/1." +
            any("0", "1") + "\r\nHost: " + any("a", "b.c:80", "[::1]") + "\r\n";
  } else {
    head = "HTTP/1." + any("0", "1") + ' ' + any("200 OK", "304 ", "204", "500 \xff\t") + "\r\n";
  }
  for (std::uint32_t left = random.below(12); left != 0; --left) {
    head += any("A", "Cookie", "x-forwarded-for", "Upgrade", "Keep-Alive", "B!#$%&'*+.^_`|~") +
            ':' + any("", " ", "\t ") + any("", "v", "a, b;c=\"d\"", "\xc3\xbc\t!") +
            any("", " ", " \t") + "\r\n";
  }
  head += any("", "Connection: close\r\n", "connection: A,keep-alive\r\n");
  return head + any("", "Content-Length: 17\r\n") + "\r\n";
}

TEST(WriteHead, WhatIsWrittenIsReadAsWhatItWas) {
  Random random(3);
  for (int run = 0; run < 4000; ++run) {
    const auto message = random.below(2) == 0 ? Message::request : Message::response;
    const Reader reader{
        .message = message,
        .request_method = random.below(4) == 0 ? http::Method::head : http::Method::get};
    const std::string bytes = random_head(random, message);
    const Outcome outcome = test::parse(reader, bytes);
    ASSERT_EQ(outcome.status, ParseStatus::complete) << bytes << row_of(outcome.rule).sentence;
    ASSERT_EQ(test::parse_in_pieces(reader, bytes, 1 + random.below(40)), outcome) << bytes;
    const Outcome again = test::parse(reader, outcome.written);
    ASSERT_EQ(again.meaning, outcome.meaning) << bytes;
    ASSERT_EQ(again.written, outcome.written) << bytes;
  }
}

}  // namespace
}  // namespace weir::http1
