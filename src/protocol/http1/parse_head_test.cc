#include "protocol/http1/parse_head.h"

#include <array>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "protocol/http1/head_test.h"

namespace weir::http1 {
namespace {

using http::FieldId;
using http::Framing;
using http::Persistence;
using http::Scope;
using test::Message;
using test::Outcome;
using test::Reader;

const Reader kRequest{.message = Message::request};
const Reader kResponse{.message = Message::response};

// A head with storage for its fields. The bytes must outlive it.
struct Request : http::RequestHead {
  explicit Request(std::string_view bytes) {
    fields = http::FieldList(storage);
    result = parse_request_head(bytes, 0, {}, *this);
  }
  std::array<http::Field, 64> storage;
  ParseResult result;
};

struct Response : http::ResponseHead {
  explicit Response(std::string_view bytes, http::Method method = http::Method::get) {
    fields = http::FieldList(storage);
    result = parse_response_head(bytes, 0, method, {}, *this);
  }
  std::array<http::Field, 64> storage;
  ParseResult result;
};

TEST(RequestHead, IsReadIntoViews) {
  const Request head(
      "POST /users/7?full=1 HTTP/1.1\r\nHost: example.com:8080\r\nUser-Agent:curl\r\n"
      "X-Empty:\r\nX-Padded: \t a b\t \r\nContent-Length: 12\r\n\r\nbody");
  ASSERT_EQ(head.result.status, ParseStatus::complete);
  EXPECT_EQ(head.result.consumed, 123u);
  EXPECT_EQ(head.method, http::Method::post);
  EXPECT_EQ(head.method_text, "POST");
  EXPECT_EQ(head.version, http::Version::http_1_1);
  EXPECT_EQ(head.target, "/users/7?full=1");
  EXPECT_EQ(head.path, "/users/7");
  EXPECT_EQ(head.query, "full=1");
  EXPECT_EQ(head.authority, "example.com:8080");
  EXPECT_EQ(head.persistence, Persistence::keep_alive);
  EXPECT_EQ(head.body.framing, Framing::length);
  EXPECT_EQ(head.body.bytes, 12u);
  ASSERT_EQ(head.fields.size(), 5u);
  EXPECT_EQ(head.fields.begin()[1].name, "User-Agent");
  EXPECT_EQ(head.fields.begin()[1].value, "curl");
  EXPECT_EQ(head.fields.begin()[1].id, FieldId::user_agent);
  EXPECT_EQ(head.fields.begin()[2].value, "");
  EXPECT_EQ(head.fields.begin()[3].value, "a b");
}

// Logs and error pages show what could be read of a head that is refused.
TEST(RequestHead, OfARefusedOneHasTheFieldsBeforeTheBrokenLine) {
  for (const std::string_view broken : {"bad name: x", "User-Agent: a\x01", ": x", "no colon"}) {
    const std::string bytes =
        "GET / HTTP/1.1\r\nHost: x\r\nAccept: y\r\n" + std::string(broken) + "\r\n\r\n";
    const Request head(bytes);
    EXPECT_EQ(head.result.status, ParseStatus::failed);
    ASSERT_EQ(head.fields.size(), 2u) << broken;
    EXPECT_EQ(head.fields.begin()[1].name, "Accept");
  }
}

TEST(RequestHead, MayFollowAFewEmptyLines) {
  const std::string_view request = "GET / HTTP/1.0\r\n\r\n";
  for (std::size_t lines = 0; lines <= kEmptyLinesMax + 1; ++lines) {
    std::string bytes;
    for (std::size_t line = 0; line < lines; ++line) bytes += "\r\n";
    bytes += request;
    const Outcome outcome = test::parse(kRequest, bytes);
    if (lines <= kEmptyLinesMax) {
      EXPECT_EQ(outcome.consumed, bytes.size());
    } else {
      EXPECT_EQ(outcome.rule, Rule::empty_lines_too_many);
    }
    EXPECT_EQ(test::parse_in_pieces(kRequest, bytes, 1), outcome);
  }
}

TEST(RequestTarget, HasFourForms) {
  struct {
    std::string_view line, authority, path, query;
  } const cases[] = {
      {"GET /a?b?c/d HTTP/1.1", "h", "/a", "b?c/d"},
      {"GET //a HTTP/1.1", "h", "//a", ""},
      {"GET http://x.y:81/a?b HTTP/1.1", "x.y:81", "/a", "b"},
      {"GET HTTPS://x.y HTTP/1.1", "x.y", "/", ""},
      {"GET http://[::1]:8080?q HTTP/1.1", "[::1]:8080", "/", "q"},
      {"OPTIONS * HTTP/1.1", "h", "*", ""},
      {"OPTIONS http://x HTTP/1.1", "x", "*", ""},
      {"OPTIONS http://x? HTTP/1.1", "x", "/", ""},
      {"OPTIONS http://x/ HTTP/1.1", "x", "/", ""},
      {"CONNECT x.y:443 HTTP/1.1", "x.y:443", "", ""},
      {"GET /\"<>\\^`{|} HTTP/1.1", "h", "/\"<>\\^`{|}", ""},
  };
  for (const auto& test : cases) {
    const std::string bytes = std::string(test.line) + "\r\nHost: h\r\n\r\n";
    const Request head(bytes);
    ASSERT_EQ(head.result.status, ParseStatus::complete) << test.line;
    EXPECT_EQ(head.authority, test.authority) << test.line;
    EXPECT_EQ(head.path, test.path) << test.line;
    EXPECT_EQ(head.query, test.query) << test.line;
  }
}

TEST(RequestTarget, TellsAnEmptyQueryFromNone) {
  const Request none("GET / HTTP/1.0\r\n\r\n");
  const Request empty("GET /? HTTP/1.0\r\n\r\n");
  EXPECT_EQ(none.query.data(), nullptr);
  EXPECT_NE(empty.query.data(), nullptr);
  EXPECT_EQ(empty.query, "");
}

TEST(RequestHead, NeedsNoHostInHttp10) {
  EXPECT_EQ(Request("GET / HTTP/1.0\r\n\r\n").authority, "");
  EXPECT_EQ(Request("GET / HTTP/1.0\r\nHost: a\r\n\r\n").authority, "a");
}

TEST(Persistence, FollowsVersionAndConnection) {
  struct {
    std::string_view bytes;
    Persistence persistence;
  } const cases[] = {
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", Persistence::keep_alive},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", Persistence::close},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: a ,, CLOSE\t,b\r\n\r\n", Persistence::close},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: a\r\nConnection: close\r\n\r\n",
       Persistence::close},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, close\r\n\r\n", Persistence::close},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n", Persistence::keep_alive},
      {"GET / HTTP/1.1\r\nHost: h\r\nX: close\r\n\r\n", Persistence::keep_alive},
      {"GET / HTTP/1.0\r\n\r\n", Persistence::close},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", Persistence::keep_alive},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(Request(test.bytes).persistence, test.persistence) << test.bytes;
  }
}

TEST(Scope, IsHopByHopForConnectionAndWhatItNames) {
  const Request head(
      "GET / HTTP/1.1\r\nHost: h\r\nX-Hop: 1\r\nConnection: x-hop, host, other\r\nX-End: 2\r\n"
      "Keep-Alive: 3\r\nProxy-Connection: close\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n"
      "Content-Length: 0\r\nCookie: x-hop\r\nOther: 4\r\n\r\n");
  ASSERT_EQ(head.result.status, ParseStatus::complete);
  std::set<std::string_view> kept;
  for (const http::Field& field : head.fields) {
    if (field.scope == Scope::end_to_end) kept.insert(field.name);
  }
  EXPECT_EQ(kept, (std::set<std::string_view>{"X-End", "Trailer", "Cookie"}));
  EXPECT_EQ(head.authority, "h");
}

TEST(Body, OfARequestIsFramedByItsFields) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  struct {
    std::string_view fields;
    Framing framing;
    std::uint64_t bytes;
  } const cases[] = {
      {"", Framing::none, 0},
      {"Content-Length: 0\r\n", Framing::length, 0},
      {"Content-Length: 007\r\n", Framing::length, 7},
      {"Content-Length:9223372036854775807\r\n", Framing::length, 9223372036854775807},
      {"transfer-encoding: CHUNKED\r\n", Framing::chunked, 0},
  };
  for (const auto& test : cases) {
    const std::string bytes = start + std::string(test.fields) + "\r\n";
    const Request head(bytes);
    ASSERT_EQ(head.result.status, ParseStatus::complete) << test.fields;
    EXPECT_EQ(head.body.framing, test.framing) << test.fields;
    EXPECT_EQ(head.body.bytes, test.bytes) << test.fields;
  }
}

TEST(ResponseHead, IsReadIntoViews) {
  const Response head("HTTP/1.1 404 Not here\r\nServer: x\r\nContent-Length: 5\r\n\r\n");
  ASSERT_EQ(head.result.status, ParseStatus::complete);
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.reason, "Not here");
  EXPECT_EQ(head.body.framing, Framing::length);
  EXPECT_EQ(head.body.bytes, 5u);
  EXPECT_EQ(head.fields.find(FieldId::server)->value, "x");
  EXPECT_EQ(head.persistence, Persistence::keep_alive);
}

TEST(ResponseHead, MayHaveAnEmptyReason) {
  for (const std::string_view bytes : {"HTTP/1.1 204 \r\n\r\n", "HTTP/1.1 204\r\n\r\n"}) {
    const Response head(bytes);
    EXPECT_EQ(head.result.status, ParseStatus::complete) << bytes;
    EXPECT_EQ(head.reason, "");
  }
}

TEST(Body, OfAResponseDependsOnStatusAndMethod) {
  using enum http::Method;
  const std::string length = "Content-Length: 5\r\n\r\n";
  const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";
  struct {
    std::string bytes;
    http::Method method;
    Framing framing;
  } const cases[] = {
      {"HTTP/1.1 200 OK\r\n" + length, get, Framing::length},
      {"HTTP/1.1 200 OK\r\n" + chunked, get, Framing::chunked},
      {"HTTP/1.1 200 OK\r\n\r\n", get, Framing::until_close},
      {"HTTP/1.0 200 OK\r\n\r\n", get, Framing::until_close},
      {"HTTP/1.1 500 No\r\n\r\n", connect, Framing::until_close},
      {"HTTP/1.1 200 OK\r\n" + length, head, Framing::none},
      {"HTTP/1.1 200 OK\r\n" + chunked, head, Framing::none},
      {"HTTP/1.1 200 OK\r\n\r\n", head, Framing::none},
      {"HTTP/1.1 200 OK\r\n" + length, connect, Framing::none},
      {"HTTP/1.1 100 Continue\r\n" + length, get, Framing::none},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", get, Framing::none},
      {"HTTP/1.1 204 No Content\r\n" + chunked, get, Framing::none},
      {"HTTP/1.1 304 Not Modified\r\n" + length, get, Framing::none},
  };
  for (const auto& test : cases) {
    const Response response(test.bytes, test.method);
    ASSERT_EQ(response.result.status, ParseStatus::complete) << test.bytes;
    EXPECT_EQ(response.body.framing, test.framing) << test.bytes;
    const bool must_close = test.framing == Framing::until_close;
    EXPECT_EQ(response.persistence == Persistence::close, must_close) << test.bytes;
  }
}

TEST(ContentLength, StaysWhereItDescribesABodyThatIsNotSent) {
  const auto scope = [](std::string_view bytes, http::Method method) {
    return Response(bytes, method).fields.find(FieldId::content_length)->scope;
  };
  constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  constexpr std::string_view kNotModified = "HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n";
  constexpr std::string_view kNoContent = "HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n";
  EXPECT_EQ(scope(kOk, http::Method::get), Scope::hop_by_hop);
  EXPECT_EQ(scope(kOk, http::Method::head), Scope::end_to_end);
  EXPECT_EQ(scope(kNotModified, http::Method::get), Scope::end_to_end);
  EXPECT_EQ(scope(kNoContent, http::Method::get), Scope::hop_by_hop);
  EXPECT_EQ(scope(kNoContent, http::Method::head), Scope::hop_by_hop);
}

// Bytes that were shown before are not looked at again before the head is complete: had they been,
// the line feeds that replace them here would end it. The first line's beginning is all that is.
TEST(Drip, CostsLinearTime) {
  constexpr std::size_t kBeginning = 40;
  std::string head = "GET /" + std::string(100, 'a') + " HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 50; ++i) head += "X-" + std::to_string(i) + ": value\r\n";
  head += "\r\n";
  std::array<http::Field, 64> storage;
  http::RequestHead request;
  request.fields = http::FieldList(storage);
  for (std::size_t shown = 1; shown < head.size(); ++shown) {
    std::string bytes = head.substr(0, shown);
    const std::size_t scanned = shown - 1;
    for (std::size_t at = kBeginning; at + 3 < scanned; ++at) bytes[at] = '\n';
    ASSERT_EQ(parse_request_head(bytes, scanned, {}, request).status, ParseStatus::incomplete);
  }
  EXPECT_EQ(parse_request_head(head, head.size() - 1, {}, request).status, ParseStatus::complete);
}

TEST(Limits, HeadFitsExactly) {
  std::string bytes = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  bytes += std::string(1000, 'x') + "\r\n\r\n";
  Reader reader = kRequest;
  reader.limits.head_bytes = static_cast<std::uint32_t>(bytes.size());
  EXPECT_EQ(test::parse(reader, bytes + "body").status, ParseStatus::complete);
  EXPECT_EQ(test::parse_in_pieces(reader, bytes, 7).status, ParseStatus::complete);
  --reader.limits.head_bytes;
  EXPECT_EQ(test::parse(reader, bytes).kind, ErrorKind::head_too_large);
  EXPECT_EQ(test::parse_in_pieces(reader, bytes, 7), test::parse(reader, bytes));
}

TEST(Limits, AnEndlessHeadIsRefusedAtTheLimit) {
  const std::string line = "GET /" + std::string(200, 'a');
  Reader reader = kRequest;
  reader.limits.head_bytes = 100;
  EXPECT_EQ(test::parse(reader, line.substr(0, 99)).status, ParseStatus::incomplete);
  EXPECT_EQ(test::parse(reader, line.substr(0, 100)).kind, ErrorKind::uri_too_long);
  reader.message = Message::response;
  const std::string response = "HTTP/1.1 200 " + line;
  EXPECT_EQ(test::parse(reader, response.substr(0, 99)).status, ParseStatus::incomplete);
  EXPECT_EQ(test::parse(reader, response).kind, ErrorKind::response_head_too_large);
}

TEST(Limits, FieldsAreCounted) {
  const std::string_view bytes = "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n";
  Reader reader = kRequest;
  reader.limits.fields = 3;
  EXPECT_EQ(test::parse(reader, bytes).status, ParseStatus::complete);
  reader.limits.fields = 2;
  EXPECT_EQ(test::parse(reader, bytes).kind, ErrorKind::too_many_fields);
  std::array<http::Field, 2> storage;
  http::RequestHead head;
  head.fields = http::FieldList(storage);
  EXPECT_EQ(parse_request_head(bytes, 0, {}, head).error.kind, ErrorKind::too_many_fields);
}

TEST(Start, WhatCannotBeARequestIsRefusedAtOnce) {
  EXPECT_EQ(test::parse(kRequest, "\x16").rule, Rule::tls_handshake);
  EXPECT_EQ(test::parse(kRequest, "SSH-2.0-OpenSSH_9.2p1 (").rule, Rule::none);
  EXPECT_EQ(test::parse(kRequest, "{").rule, Rule::method_invalid);
  EXPECT_EQ(test::parse(kRequest, std::string(kMethodBytesMax, 'A')).rule, Rule::none);
  EXPECT_EQ(test::parse(kRequest, std::string(kMethodBytesMax + 1, 'A')).rule,
            Rule::method_too_long);
  EXPECT_EQ(test::parse(kRequest, "GET\r").status, ParseStatus::incomplete);
  EXPECT_EQ(test::parse(kRequest, "\n").rule, Rule::bare_lf);
  EXPECT_EQ(test::parse(kRequest, "GET / HTTP/1.1\n").rule, Rule::bare_lf);
  EXPECT_EQ(test::parse(kResponse, "HTTPS").rule, Rule::status_line_malformed);
  EXPECT_EQ(test::parse(kResponse, "\r\n").rule, Rule::status_line_malformed);
}

}  // namespace
}  // namespace weir::http1
