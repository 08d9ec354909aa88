#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>

#include "proxy/http/exchange_test_support.h"
#include "proxy/value.h"

namespace weir::proxy {
namespace {

constexpr std::string_view kRequest =
    "GET /a/b?x=1&y=%20&x=2&flag&z= HTTP/1.1\r\n"
    "Host: Example.com:8080\r\n"
    "User-Agent: test/1\r\n"
    "X-Two: first\r\n"
    "X-Two: second\r\n"
    "Cookie: a=1; b=\"2\"; session=s=3\r\n"
    "Cookie: c=4;a=5\r\n"
    "\r\n";

std::string text_of(const Exchange& x, std::string_view name) {
  const auto value = find_value(name, Known::end);
  if (!value) return "error: " + value.error();
  ValueSpace space;
  return std::string(value->row->text(source_of(x), value->name, space));
}

std::string error_of(std::string_view name, Known at = Known::end) {
  const auto value = find_value(name, at);
  return value ? "" : value.error();
}

// Every digit as 9, every letter as A.
std::string shape_of(std::string text) {
  for (char& c : text) {
    if (c >= '0' && c <= '9') c = '9';
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) c = 'A';
  }
  return text;
}

class ValueTest : public test::ExchangeFixture {
 protected:
  void expect(std::string_view request, const std::map<std::string, std::string>& texts) {
    with_exchange(request, [&](Exchange& x) {
      for (const auto& [name, text] : texts) EXPECT_EQ(text_of(x, name), text) << name;
    });
  }
};

TEST_F(ValueTest, TakesPartsOfTheRequestAsReceived) {
  expect(kRequest, {{"request.method", "GET"},
                    {"request.scheme", "http"},
                    {"request.host", "Example.com"},
                    {"request.target", "/a/b?x=1&y=%20&x=2&flag&z="},
                    {"request.path", "/a/b"},
                    {"request.query", "x=1&y=%20&x=2&flag&z="},
                    {"request.version", "HTTP/1.1"}});
}

TEST_F(ValueTest, FindsTheFirstFieldCookieOrParameterOfAName) {
  expect(kRequest, {{"request.header.user-agent", "test/1"},
                    {"request.header.X-TWO", "first"},
                    {"request.header.host", "Example.com:8080"},
                    {"request.header.none", ""},
                    {"request.cookie.a", "1"},
                    {"request.cookie.b", "\"2\""},
                    {"request.cookie.session", "s=3"},
                    {"request.cookie.c", "4"},
                    {"request.cookie.A", ""},
                    {"request.query.x", "1"},
                    {"request.query.y", "%20"},
                    {"request.query.flag", ""},
                    {"request.query.z", ""},
                    {"request.query.none", ""}});
}

TEST_F(ValueTest, TakesTheHostOfAnAbsoluteTarget) {
  expect("GET http://[::1]:81/p HTTP/1.1\r\nHost: other\r\n\r\n",
         {{"request.host", "[::1]"}, {"request.path", "/p"}, {"request.query", ""}});
}

TEST_F(ValueTest, KnowsBothEndsOfTheConnection) {
  with_exchange(kRequest, [&](Exchange& x) {
    EXPECT_EQ(text_of(x, "client.address"), "127.0.0.1");
    EXPECT_EQ(text_of(x, "client.port"), std::to_string(x.connection.peer.port()));
    EXPECT_EQ(text_of(x, "listener.name"), "l");
    EXPECT_EQ(text_of(x, "listener.port"), std::to_string(address_.port()));
  });
}

TEST_F(ValueTest, HasNothingOfAServerBeforeOneIsTried) {
  expect(kRequest, {{"backend.name", ""},
                    {"server.name", ""},
                    {"server.address", ""},
                    {"attempts", "0"},
                    {"reason", ""},
                    {"response.status", ""},
                    {"response.header.date", ""},
                    {"time.connect", ""},
                    {"time.first_byte", ""},
                    {"request.body_bytes", "0"},
                    {"response.body_bytes", "0"}});
}

TEST_F(ValueTest, NamesTheServerThatWasTriedLast) {
  const std::map<std::string, std::string> addresses = {
      {"10.0.0.1:80", "10.0.0.1:80"},
      {"[::1]:80", "[::1]:80"},
      {"unix:/run/x.sock", "unix:/run/x.sock"},
      {"10.0.0.1", ""}};  // the listener's port, which is known later
  for (const auto& [written, unused] : addresses) {
    add_server(*net::Address::parse_with_optional_port(written), "s" + written);
  }
  with_exchange(kRequest, [&](Exchange& x) {
    x.backend = x.proxy.backend(BackendIndex{0});
    EXPECT_EQ(text_of(x, "backend.name"), "b");
    for (std::uint64_t tried = 1; tried <= addresses.size(); ++tried) {
      const auto lease = x.backend->pick({}, {}).lease;
      x.attempts.begin(lease.pool(), x.proxy.worker().now());
      const std::string name = text_of(x, "server.name");
      std::string address = addresses.at(name.substr(1));
      if (address.empty()) address = "10.0.0.1:" + std::to_string(address_.port());
      EXPECT_EQ(text_of(x, "server.address"), address);
      EXPECT_EQ(text_of(x, "attempts"), std::to_string(tried));
    }
    x.backend.reset();
    EXPECT_EQ(text_of(x, "backend.name"), "b");
  });
}

TEST_F(ValueTest, WritesWhatIsKnownAtTheEnd) {
  with_exchange(kRequest, [&](Exchange& x) {
    std::array fields = {http::Field{.name = "X-Answer", .value = "42"}};
    x.response.fields = http::FieldList(fields);
    EXPECT_TRUE(x.response.fields.add(fields[0]));
    x.status = 502;
    x.error = make_error(ErrorKind::connect_refused, Side::server);
    x.bytes_received = 7;
    x.bytes_sent = UINT64_MAX;
    x.connect_time = 0ns;
    x.header_time = 1h + 2'000'003'999ns;
    EXPECT_EQ(text_of(x, "response.header.x-answer"), "42");
    EXPECT_EQ(text_of(x, "response.status"), "502");
    EXPECT_EQ(text_of(x, "reason"), "connect_refused");
    EXPECT_EQ(text_of(x, "request.body_bytes"), "7");
    EXPECT_EQ(text_of(x, "response.body_bytes"), "18446744073709551615");
    EXPECT_EQ(text_of(x, "time.connect"), "0.000000");
    EXPECT_EQ(text_of(x, "time.first_byte"), "3602.000003");
  });
}

TEST_F(ValueTest, TakesTheResponseThatFiltersSee) {
  with_exchange(kRequest, [&](Exchange& x) {
    http::ResponseHead head;
    head.status = 204;
    const ValueSource source = source_of(x, head);
    EXPECT_EQ(source.response, &head);
    EXPECT_EQ(source.status, 204);
  });
}

TEST_F(ValueTest, WritesTimesInTheirFormats) {
  with_exchange(kRequest, [&](Exchange& x) {
    EXPECT_TRUE(shape_of(text_of(x, "time.total")).ends_with("9.999999"));
    EXPECT_EQ(shape_of(text_of(x, "time.now")), "9999-99-99A99:99:99.999A");
    const std::string local = shape_of(text_of(x, "time.local"));
    EXPECT_TRUE(local == "99/AAA/9999:99:99:99 +9999" || local == "99/AAA/9999:99:99:99 -9999")
        << local;
  });
}

TEST_F(ValueTest, HasNoRequestAndNoResponseOfATunnel) {
  with_exchange(kRequest, [&](Exchange& x) {
    ValueSource source = source_of(x);
    source.request = nullptr;
    source.response = nullptr;
    for (const ValueRow& row : value_rows()) {
      ValueSpace space;
      const std::string_view text = row.text(source, "host", space);
      const bool is_of_http = row.name.starts_with("request.") || row.name.starts_with("response.");
      if (is_of_http && !row.name.ends_with("body_bytes")) {
        EXPECT_EQ(text, "") << row.name;
      }
    }
  });
}

TEST(FindValue, NamesTheValueThatWasMeant) {
  EXPECT_EQ(error_of("request.methd"),
            "unknown value 'request.methd' (did you mean 'request.method'?)");
  EXPECT_EQ(error_of("request.headers.user-agent"),
            "unknown value 'request.headers.user-agent' (did you mean "
            "'request.header.user-agent'?)");
  EXPECT_EQ(error_of("attempt"), "unknown value 'attempt' (did you mean 'attempts'?)");
  EXPECT_EQ(error_of("nonsense"), "unknown value 'nonsense'");
  EXPECT_EQ(error_of(""), "unknown value ''");
  EXPECT_EQ(error_of("client.address.x"),
            "unknown value 'client.address.x' (did you mean "
            "'client.address'?)");
}

TEST(FindValue, RefusesANameThatNothingCanHave) {
  EXPECT_EQ(error_of("request.header."), "'' cannot stand for NAME in request.header.NAME");
  EXPECT_EQ(error_of("request.header.a b"), "'a b' cannot stand for NAME in request.header.NAME");
  EXPECT_EQ(error_of("request.cookie.a=b"), "'a=b' cannot stand for NAME in request.cookie.NAME");
  EXPECT_EQ(error_of("request.query.a&b"), "'a&b' cannot stand for NAME in request.query.NAME");
  EXPECT_EQ(error_of("request.query.a.b[]"), "");
}

TEST(FindValue, RefusesWhatIsNotKnownYet) {
  EXPECT_EQ(error_of("response.status", Known::request),
            "'response.status' is not known before the response");
  EXPECT_EQ(error_of("response.header.date", Known::request),
            "'response.header.date' is not known before the response");
  EXPECT_EQ(error_of("reason", Known::response), "'reason' is not known before the end");
  EXPECT_EQ(error_of("response.status", Known::response), "");
  EXPECT_EQ(error_of("client.address", Known::request), "");
}

TEST(ValueRows, HaveNamesOfTheirOwnAndSentences) {
  std::set<std::string_view> names;
  for (const ValueRow& row : value_rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(row.name.ends_with('.'), row.takes != ValueName::none) << row.name;
    EXPECT_TRUE(row.help.ends_with('.')) << row.name;
    const std::string row_begin = "| `" + std::string(row.name);
    EXPECT_NE(values_reference().find(row_begin), std::string::npos) << row.name;
  }
}

}  // namespace
}  // namespace weir::proxy
