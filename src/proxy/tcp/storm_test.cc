#include "proxy/storm_test_support.h"
#include "proxy/tcp/serve_tcp_connection.h"

namespace weir::proxy {
namespace {

constexpr std::string_view kTexts[] = {"hello", "how do you do", "and so on"};

Serve serve_tcp(const Listener&) { return &serve_tcp_connection; }

class TcpStormTest : public test::StormTest {
 protected:
  TcpStormTest() : StormTest(Protocol::tcp, &serve_tcp, kTexts, kTexts) {}
};

TEST_P(TcpStormTest, LeavesNothingBehind) { rage(); }

INSTANTIATE_TEST_SUITE_P(Seeds, TcpStormTest, testing::Range<std::uint64_t>(0, 3));

}  // namespace
}  // namespace weir::proxy
