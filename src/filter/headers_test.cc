#include "filter/headers.h"

#include <gtest/gtest.h>

#include "filter/filter_test_support.h"
#include "proxy/http/answer.h"
#include "proxy/http/exchange_test_support.h"

namespace weir::filter {
namespace {

using proxy::Exchange;
using proxy::Origin;
using test::make;
using test::text_of;

class HeadersTest : public proxy::test::ExchangeFixture {
 protected:
  // The fields of a request behind the edits of it.
  std::string edited(std::string_view request, std::string_view edits) {
    std::string text;
    const auto [problems, filter] = make("headers: { request: [" + std::string(edits) + "] }");
    EXPECT_EQ(problems, "");
    if (filter == nullptr) return text;
    with_exchange(request, [&](Exchange& x) {
      EXPECT_TRUE(filter->on_request(x));
      text = text_of(x.request.fields);
      authority_ = x.request.authority;
      EXPECT_EQ(text.find('\r'), std::string::npos);
    });
    return text;
  }
  // Those of an answer with `status` and `fields`, behind the filter.
  std::string answered(std::string_view yaml, std::uint16_t status,
                       std::initializer_list<http::Field> fields, Origin origin = Origin::server) {
    std::string text;
    const auto [problems, filter] = make(yaml);
    EXPECT_EQ(problems, "");
    if (filter == nullptr) return text;
    with_exchange("GET /p HTTP/1.1\r\nHost: x\r\n\r\n", [&](Exchange& x) {
      ASSERT_TRUE(proxy::set_answer(x, status, "", ""));
      x.response.fields.clear();
      for (const http::Field& field : fields) {
        ASSERT_TRUE(proxy::add_field(x, x.response.fields, field));
      }
      EXPECT_TRUE(filter->on_response(x, x.response, origin));
      text = text_of(x.response.fields);
    });
    return text;
  }
  std::string authority_;
};

constexpr std::string_view kRequest =
    "GET /p?q=1 HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-b: 2\r\nx-a: 3\r\n\r\n";

TEST_F(HeadersTest, SetReplacesAllOfTheName) {
  EXPECT_EQ(edited(kRequest, "{ set: X-A, value: new }"), "X-A: new\nx-b: 2\n");
  EXPECT_EQ(edited(kRequest, "{ set: X-C, value: new }"), "X-A: 1\nx-b: 2\nx-a: 3\nX-C: new\n");
}

TEST_F(HeadersTest, SetIfAbsentLeavesAlone) {
  EXPECT_EQ(edited(kRequest, "{ set: x-A, value: new, if_absent: true }"),
            "X-A: 1\nx-b: 2\nx-a: 3\n");
  EXPECT_EQ(edited(kRequest, "{ set: X-C, value: new, if_absent: true }"),
            "X-A: 1\nx-b: 2\nx-a: 3\nX-C: new\n");
}

TEST_F(HeadersTest, AddAndRemove) {
  EXPECT_EQ(edited(kRequest, "{ add: X-A, value: new }"), "X-A: 1\nx-b: 2\nx-a: 3\nX-A: new\n");
  EXPECT_EQ(edited(kRequest, "{ remove: X-A }"), "x-b: 2\n");
  EXPECT_EQ(edited(kRequest, "{ remove: X-C }"), "X-A: 1\nx-b: 2\nx-a: 3\n");
}

TEST_F(HeadersTest, EditsSeeWhatThoseBeforeThemMade) {
  EXPECT_EQ(edited(kRequest,
                   "{ remove: X-A }, { set: X-C, value: '[${request.header.x-a}]' }, "
                   "{ set: X-A, value: new, if_absent: true }, "
                   "{ set: X-A, value: '${request.header.x-a}er' }"),
            "x-b: 2\nX-C: []\nX-A: newer\n");
}

TEST_F(HeadersTest, AValueThatTurnsOutEmptyIsNotWritten) {
  EXPECT_EQ(edited(kRequest,
                   "{ set: X-A, value: '${request.header.none}' }, "
                   "{ add: X-C, value: '' }"),
            "x-b: 2\n");
}

TEST_F(HeadersTest, FieldsThatEndAtThisHopAreNotThere) {
  constexpr std::string_view kHop =
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: X-A\r\nX-A: 1\r\n\r\n";
  EXPECT_EQ(edited(kHop, "{ set: X-A, value: new, if_absent: true }"), "X-A: new\n");
  EXPECT_EQ(edited(kHop, "{ remove: X-A }"), "");
}

TEST_F(HeadersTest, ClientsCannotSplitAField) {
  with_exchange(kRequest, [](Exchange& x) {
    const auto filter =
        make("headers: { request: [{ set: X-A, value: '${request.query.q}' }] }").filter;
    x.request.query = "q=a\r\nX-Evil: 1";
    ASSERT_TRUE(filter->on_request(x));
    EXPECT_EQ(text_of(x.request.fields), "X-A: a  X-Evil: 1\nx-b: 2\n");
  });
}

TEST_F(HeadersTest, SetsTheHostIfItIsOne) {
  static_cast<void>(edited(kRequest, "{ set: Host, value: 'app.internal:81' }"));
  EXPECT_EQ(authority_, "app.internal:81");
  static_cast<void>(edited(kRequest, "{ set: host, value: '${request.header.x-a}.example' }"));
  EXPECT_EQ(authority_, "1.example");
  for (const char* none : {"", "a b", "user@host", "a/b"}) {
    static_cast<void>(edited(kRequest, "{ set: Host, value: '" + std::string(none) + "' }"));
    EXPECT_EQ(authority_, "x") << none;
  }
  static_cast<void>(edited(kRequest, "{ set: Host, value: other, if_absent: true }"));
  EXPECT_EQ(authority_, "x");
  static_cast<void>(edited("GET / HTTP/1.0\r\n\r\n", "{ set: Host, value: y, if_absent: true }"));
  EXPECT_EQ(authority_, "y");
}

TEST_F(HeadersTest, AValueThatIsTooLongIsAnError) {
  with_exchange(kRequest, [](Exchange& x) {
    const std::string query = "q=" + std::string(9000, 'a');
    x.request.query = query;
    const auto request =
        make("headers: { request: [{ set: X-A, value: '${request.query.q}' }] }").filter;
    const auto verdict = request->on_request(x);
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().kind, ErrorKind::head_too_large);
    const auto response =
        make(
            "headers: { response: [{ set: X-A, value: '${request.query.q}', always: true }, "
            "{ set: X-B, value: b, always: true }] }")
            .filter;
    ASSERT_TRUE(proxy::set_answer(x, 404, "", ""));
    const auto edited = response->on_response(x, x.response, Origin::server);
    ASSERT_FALSE(edited);
    EXPECT_EQ(edited.error().kind, ErrorKind::response_head_too_large);
    EXPECT_TRUE(response->on_response(x, x.response, Origin::error));
    EXPECT_TRUE(text_of(x.response.fields).ends_with("X-B: b\n"));
  });
}

TEST_F(HeadersTest, ResponsesAreChangedByStatusAndOrigin) {
  constexpr std::string_view kFilter =
      "headers: { response: [{ set: X-A, value: '${response.status}', status: [200, 4xx, 502-503] "
      "}, { set: X-B, value: b, always: true, status: 5xx }] }";
  EXPECT_EQ(answered(kFilter, 200, {}), "X-A: 200\n");
  EXPECT_EQ(answered(kFilter, 201, {}), "");
  EXPECT_EQ(answered(kFilter, 404, {}, Origin::filter), "X-A: 404\n");
  EXPECT_EQ(answered(kFilter, 404, {}, Origin::error), "");
  EXPECT_EQ(answered(kFilter, 503, {}, Origin::server), "X-A: 503\nX-B: b\n");
  EXPECT_EQ(answered(kFilter, 503, {}, Origin::error), "X-B: b\n");
}

TEST_F(HeadersTest, RemovesWhatServersSayOfThemselves) {
  EXPECT_EQ(answered("headers: { response: [{ remove: Server }, { remove: X-Powered-By }] }", 200,
                     {{.name = "server", .value = "nginx/1.2", .id = http::FieldId::server},
                      {.name = "X-Powered-By", .value = "x"},
                      {.name = "ETag", .value = "e"}}),
            "ETag: e\n");
}

TEST_F(HeadersTest, EditsCookiesOfServersAndFiltersButNotOfErrors) {
  constexpr std::string_view kFilter =
      "headers: { response: [{ add: set-cookie, value: 'c=3', always: true }], set_cookie: ["
      "{ name: a, path: { from: /x, to: /y } }, { same_site: lax, http_only: true }] }";
  EXPECT_EQ(answered(kFilter, 200,
                     {{.name = "Set-Cookie", .value = "a=1; Path=/x"},
                      {.name = "SET-COOKIE", .value = "b=2; Path=/x"}}),
            "Set-Cookie: a=1; Path=/y; SameSite=Lax; HttpOnly\n"
            "SET-COOKIE: b=2; Path=/x; SameSite=Lax; HttpOnly\n"
            "set-cookie: c=3; SameSite=Lax; HttpOnly\n");
  EXPECT_EQ(answered(kFilter, 502, {}, Origin::error), "set-cookie: c=3\n");
}

TEST_F(HeadersTest, SecurityHeadersAreOnAllAnswersUnlessTheyAreThere) {
  constexpr std::string_view kAll =
      "X-Frame-Options: DENY\nX-Content-Type-Options: nosniff\nX-XSS-Protection: 1; mode=block\n"
      "Referrer-Policy: strict-origin-when-cross-origin\n";
  for (const Origin origin : {Origin::server, Origin::filter, Origin::error}) {
    EXPECT_EQ(answered("security_headers: {}", 502, {}, origin), kAll);
  }
  EXPECT_EQ(answered("security_headers: { x_xss_protection: 'off', x_content_type_options: 'off', "
                     "referrer_policy: no-referrer, content_security_policy: \"default-src "
                     "'self'\", strict_transport_security: max-age=5 }",
                     200, {{.name = "x-frame-options", .value = "SAMEORIGIN"}}),
            "x-frame-options: SAMEORIGIN\nReferrer-Policy: no-referrer\n"
            "Content-Security-Policy: default-src 'self'\nStrict-Transport-Security: max-age=5\n");
}

TEST_F(HeadersTest, RedirectRepliesWithALocation) {
  const auto filter =
      make("redirect: { to: 'https://example.com${request.target}', status: 308 }").filter;
  ASSERT_NE(filter, nullptr);
  EXPECT_TRUE(filter->always_replies());
  with_exchange(kRequest, [&filter](Exchange& x) {
    const auto verdict = filter->on_request(x);
    ASSERT_TRUE(verdict);
    EXPECT_EQ(*verdict, proxy::Verdict::reply);
    EXPECT_EQ(x.response.status, 308);
    EXPECT_EQ(x.response.fields.find("Location")->value, "https://example.com/p?q=1");
    EXPECT_EQ(x.own_body, "308 Permanent Redirect\n");
    EXPECT_EQ(x.response.body.bytes, x.own_body.size());
  });
}

TEST(Headers, SaysWhatIsWrong) {
  struct Case {
    std::string_view yaml;
    std::string_view problem;
  };
  constexpr Case kCases[] = {
      {"request: [{ value: a }]", "an edit has exactly one of 'set', 'add' and 'remove'"},
      {"request: [{ set: A, add: A, value: a }]",
       "an edit has exactly one of 'set', 'add' and 'remove'"},
      {"request: [{ set: A }]", "'set' and 'add' need a 'value'"},
      {"response: [{ remove: A, value: a }]", "'remove' takes no 'value'"},
      {"request: [{ add: A, value: a, if_absent: true }]", "'if_absent' is for 'set' only"},
      {"request: [{ remove: Host }]", "a request has exactly one Host: it can only be set"},
      {"response: [{ set: Host, value: a }]", "Host is a field of requests"},
      {"response: [{ remove: content-length }]",
       "expected a field name such as X-Team, found 'content-length': every hop writes this field "
       "anew"},
      {"request: [{ set: 'X A', value: a }]", "expected a field name such as X-Team, found 'X A'"},
      {"request: [{ set: A, value: '${response.status}' }]",
       "'response.status' is not known before the response"},
      {"response: [{ remove: A, status: 600 }]",
       "expected a status, a class or a range such as 404, 4xx or 500-599, found '600'"},
      {"set_cookie: [{ path: { from: /a } }]", "missing key 'to'"},
      {"set_cookie: [{ domain: 'a;b' }]", "expected part of a cookie, found 'a;b'"},
  };
  for (const auto& [yaml, problem] : kCases) {
    const std::string problems = make("headers: { " + std::string(yaml) + " }").problems;
    EXPECT_NE(problems.find(problem), std::string::npos) << yaml << "\n" << problems;
  }
  for (const std::string_view name : {"Connection", "Content-Length", "Transfer-Encoding", "TE",
                                      "Upgrade", "Keep-Alive", "Proxy-Connection", "Trailer"}) {
    FieldName read;
    EXPECT_FALSE(parse_scalar(name, read)) << name;
  }
  EXPECT_NE(make("redirect: { to: x, status: 300 }")
                .problems.find("expected 301, 302, 303, 307 or 308, found '300'"),
            std::string::npos);
}

TEST(Headers, SaysWhatItDoes) {
  EXPECT_EQ(make("headers: { request: [{ set: A, value: a }, { set: B, value: b, if_absent: true "
                 "}], response: [{ add: C, value: c }, { remove: D }], set_cookie: [{}] }")
                .filter->summary(),
            "request: set A, request: set if absent B, response: add C, response: remove D, cookie "
            "*");
  EXPECT_EQ(make("redirect: { to: '/x${request.path}' }").filter->summary(),
            "302 to /x${request.path}");
}

}  // namespace
}  // namespace weir::filter
