#include "proxy/http/exchange.h"
#include "proxy/http/serve_http_test_support.h"
#include "proxy/storm_test_support.h"

namespace weir::proxy {
namespace {

constexpr std::string_view kRequests[] = {
    "GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    "HEAD /b HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /c HTTP/1.0\r\n\r\n",
    "POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world",
    "PUT /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
    "GET /g HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "BAD\r\n\r\n",
};
constexpr std::string_view kResponses[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nto the end",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "nonsense\r\n\r\n",
};

class HttpStormTest : public test::StormTest {
 protected:
  HttpStormTest() : StormTest(Protocol::http, &test::serve_http, kRequests, kResponses) {}
};

TEST_P(HttpStormTest, LeavesNothingBehind) { rage(); }

INSTANTIATE_TEST_SUITE_P(Seeds, HttpStormTest, testing::Range<std::uint64_t>(0, 10));

}  // namespace
}  // namespace weir::proxy
