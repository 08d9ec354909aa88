#include "stats/access_log.h"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string>
#include <time.h>
#include <vector>

#include "base/log_ring.h"
#include "base/random.h"

namespace weir::stats {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

AccessRecord example() {
  AccessRecord record;
  record.status = 200;
  record.attempts = 1;
  record.time = WallTime{971186136s + 250ms};  // 10 October 2000, 13:55:36 UTC
  record.request_time = 12'345us;
  record.connect_time = 0ns;
  record.header_time = 11'900us;
  record.bytes_received = 17;
  record.bytes_sent = 2326;
  record.listener = "web";
  record.client_address = "192.0.2.7";
  record.method = "GET";
  record.target = "/a?b=c";
  record.protocol = "HTTP/1.1";
  record.host = "example.com";
  record.referer = "http://example.com/start";
  record.user_agent = "curl/7.88";
  record.backend = "users";
  record.server = "u1";
  record.reused = Reused::yes;
  return record;
}

AccessRecord refused_tunnel() {
  AccessRecord record;
  record.kind = AccessKind::tcp;
  record.attempts = 2;
  record.reason = make_error(ErrorKind::connect_refused, Side::server, 111);
  record.time = WallTime{971186136s};
  record.request_time = 3ms;
  record.listener = "db";
  record.client_address = "192.0.2.7";
  record.backend = "mysql";
  return record;
}

std::vector<char> encoded(const AccessRecord& record) {
  std::vector<char> bytes(kAccessRecordBytesMax);
  bytes.resize(encode(record, bytes));
  return bytes;
}

class AccessLog : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }

  static std::string combined(const AccessRecord& record) {
    std::string out;
    format_combined(record, out);
    return out;
  }
  static std::string json(const AccessRecord& record) {
    std::string out;
    format_json(record, out);
    return out;
  }
};

TEST_F(AccessLog, CombinedIsThatOfNginxFollowedByPairs) {
  EXPECT_EQ(combined(example()),
            "192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] \"GET /a?b=c HTTP/1.1\" 200 2326 "
            "\"http://example.com/start\" \"curl/7.88\" request_time=0.012 connect_time=0.000 "
            "header_time=0.011 listener=web host=example.com server=users/u1 attempts=1 reused=yes "
            "bytes_received=17 reason=-\n");
}

TEST_F(AccessLog, CombinedIsInLocalTime) {
  ::setenv("TZ", "XXX-02:30", 1);
  ::tzset();
  EXPECT_NE(combined(example()).find("[10/Oct/2000:16:25:36 +0230]"), std::string::npos);
}

TEST_F(AccessLog, CombinedSaysWhyARequestFailed) {
  AccessRecord record = example();
  record.status = 502;
  record.attempts = 3;
  record.reason = make_error(ErrorKind::connect_refused, Side::server, 111);
  record.connect_time = kNotReached;
  record.header_time = kNotReached;
  record.reused = Reused::no;
  const std::string line = combined(record);
  EXPECT_NE(line.find("connect_time=- header_time=- "), line.npos);
  EXPECT_TRUE(
      line.ends_with("attempts=3 reused=no bytes_received=17 errno=111 "
                     "reason=connect_refused \"The server refused the connection.\"\n"));
}

TEST_F(AccessLog, CombinedOfATunnelNamesItsListener) {
  EXPECT_EQ(combined(refused_tunnel()),
            "192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] \"TCP db\" 000 0 \"-\" \"-\" "
            "request_time=0.003 connect_time=- header_time=- listener=db host=- server=mysql/- "
            "attempts=2 reused=no bytes_received=0 errno=111 reason=connect_refused "
            "\"The server refused the connection.\"\n");
}

TEST_F(AccessLog, CombinedOfARequestThatCouldNotBeRead) {
  AccessRecord record;
  record.client_address = "192.0.2.7";
  record.status = 400;
  record.reason = make_error(ErrorKind::bad_request, Side::client);
  record.reason.detail = 4;
  EXPECT_EQ(combined(record),
            "192.0.2.7 - - [01/Jan/1970:00:00:00 +0000] \"-\" 400 0 \"-\" \"-\" request_time=0.000 "
            "connect_time=- header_time=- listener=- host=- server=- attempts=0 reused=no "
            "bytes_received=0 detail=4 reason=bad_request "
            "\"The client's request breaks HTTP's rules.\"\n");
}

TEST_F(AccessLog, CombinedEscapesAsNginxDoes) {
  AccessRecord record = example();
  record.user_agent = "a\"b\\c\n\x7f\xc3\xa9 d";
  EXPECT_NE(combined(record).find("\"a\\x22b\\x5Cc\\x0A\\x7F\\xC3\\xA9 d\""), std::string::npos);
}

TEST_F(AccessLog, CombinedCannotBeForged) {
  AccessRecord record = example();
  record.host = "x reason=- server=users/u9";
  record.user_agent = "x\" request_time=0.000\n192.0.2.1 - - [forged] \"GET / HTTP/1.1\" 200 0";
  const std::string line = combined(record);
  EXPECT_NE(line.find(" host=x\\x20reason=-\\x20server=users/u9 "), line.npos);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(std::ranges::count(line, '"'), 6);
}

TEST_F(AccessLog, JsonHasTheSameNames) {
  EXPECT_EQ(json(example()),
            "{\"time\":\"2000-10-10T13:55:36.250Z\",\"kind\":\"http\",\"client_address\":"
            "\"192.0.2.7\",\"method\":\"GET\",\"target\":\"/a?b=c\",\"protocol\":\"HTTP/1.1\","
            "\"status\":200,\"bytes_sent\":2326,\"referer\":\"http://example.com/start\","
            "\"user_agent\":\"curl/7.88\",\"request_time\":0.012345,\"connect_time\":0.000000,"
            "\"header_time\":0.011900,\"listener\":\"web\",\"host\":\"example.com\","
            "\"server\":\"users/u1\",\"attempts\":1,\"reused\":true,\"bytes_received\":17,"
            "\"reason\":null}\n");
}

TEST_F(AccessLog, JsonOfAFailedTunnel) {
  EXPECT_EQ(json(refused_tunnel()),
            "{\"time\":\"2000-10-10T13:55:36.000Z\",\"kind\":\"tcp\",\"client_address\":"
            "\"192.0.2.7\",\"method\":null,\"target\":null,\"protocol\":null,\"status\":null,"
            "\"bytes_sent\":0,\"referer\":null,\"user_agent\":null,\"request_time\":0.003000,"
            "\"connect_time\":null,\"header_time\":null,\"listener\":\"db\",\"host\":null,"
            "\"server\":\"mysql/-\",\"attempts\":2,\"reused\":false,\"bytes_received\":0,"
            "\"reason\":\"connect_refused\",\"sentence\":\"The server refused the connection.\","
            "\"errno\":111}\n");
}

TEST_F(AccessLog, JsonOfATimeBefore1970KeepsItsFraction) {
  AccessRecord record;
  record.time = WallTime{-250ms};
  EXPECT_TRUE(json(record).starts_with("{\"time\":\"1969-12-31T23:59:59.750Z\""));
}

TEST_F(AccessLog, JsonReplacesBytesThatAreNotUtf8) {
  AccessRecord record = example();
  record.user_agent = "\xff\"\n";
  EXPECT_NE(json(record).find("\"user_agent\":\"\xef\xbf\xbd\\\"\\n\""), std::string::npos);
}

TEST_F(AccessLog, DecodingGivesWhatWasEncoded) {
  for (const AccessRecord& record : {example(), refused_tunnel(), AccessRecord{}}) {
    const std::vector<char> bytes = encoded(record);
    const AccessRecord decoded = decode(bytes);
    EXPECT_EQ(combined(decoded), combined(record));
    EXPECT_EQ(json(decoded), json(record));
    EXPECT_EQ(decoded.reason, record.reason);
    EXPECT_EQ(decoded.time, record.time);
  }
}

TEST_F(AccessLog, CutsTextsThatAreTooLong) {
  const std::string text(100'000, 'x');
  AccessRecord record = example();
  for (auto member : {&AccessRecord::listener, &AccessRecord::client_address, &AccessRecord::method,
                      &AccessRecord::target, &AccessRecord::protocol, &AccessRecord::host,
                      &AccessRecord::referer, &AccessRecord::user_agent, &AccessRecord::backend,
                      &AccessRecord::server, &AccessRecord::sentence}) {
    record.*member = text;
  }
  const std::vector<char> bytes = encoded(record);
  EXPECT_LE(bytes.size(), kAccessRecordBytesMax);
  const AccessRecord decoded = decode(bytes);
  EXPECT_EQ(decoded.target, text.substr(0, 2048));
  EXPECT_EQ(decoded.user_agent, text.substr(0, 256));
  EXPECT_EQ(decoded.server, text.substr(0, 256));
  EXPECT_EQ(decoded.sentence, text.substr(0, 512));
  EXPECT_EQ(decoded.status, 200);
}

TEST_F(AccessLog, AnyBytesGiveOneLineWithItsFieldsInPlace) {
  Random random(11);
  for (int i = 0; i < 5000; ++i) {
    std::array<std::string, 4> texts;
    for (std::string& text : texts) {
      text.resize(random.below(20));
      for (char& byte : text) byte = "\"\\\n\r\t =[]{}\0\x1b\xc3\xa9xy"[random.below(17)];
    }
    AccessRecord record = example();
    record.target = texts[0];
    record.host = texts[1];
    record.referer = texts[2];
    record.user_agent = texts[3];
    const std::vector<char> bytes = encoded(record);
    const std::string line = combined(decode(bytes));
    ASSERT_EQ(line.find('\n'), line.size() - 1);
    ASSERT_EQ(std::ranges::count(line, '"'), 6);
    const std::string pairs = line.substr(line.rfind("\" ") + 2);
    ASSERT_EQ(std::ranges::count(pairs, ' '), 9);
    ASSERT_EQ(json(decode(bytes)).find('\n'), json(decode(bytes)).size() - 1);
  }
}

TEST_F(AccessLog, GoesThroughALogRing) {
  LogRing ring(16 * 1024);
  const std::span<char> room = ring.try_reserve(kAccessRecordBytesMax);
  ASSERT_FALSE(room.empty());
  ring.commit(encode(example(), room));
  EXPECT_EQ(combined(decode(ring.front())), combined(example()));
}

}  // namespace
}  // namespace weir::stats
