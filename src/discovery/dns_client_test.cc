#include "discovery/dns_client.h"

#include "discovery/discovery_test_support.h"
#include "runtime/descriptor_test_support.h"

namespace weir::discovery {
namespace {

using Outcome = FamilyAnswer::Outcome;

struct Asked final : Question {
  void on_answer(const FamilyAnswer& v4, const FamilyAnswer& v6) override {
    ++answers;
    last_v4 = v4;
    last_v6 = v6;
  }
  int answers = 0;
  FamilyAnswer last_v4;
  FamilyAnswer last_v6;
};

class DnsClientTest : public testing::Test {
 protected:
  void await_answer(Asked& asked) {
    ASSERT_TRUE(worker_.turn_until([&] {
      server_.answer_all();
      return !asked.is_pending();
    }));
  }

  net::test::TestWorker worker_;
  test::NameServerEnd server_;
};

TEST_F(DnsClientTest, AnswersForBothFamilies) {
  DnsClient client(*worker_, server_.settings());
  Asked asked;
  client.ask("app.test", asked);
  EXPECT_EQ(asked.answers, 0);
  await_answer(asked);
  EXPECT_EQ(asked.answers, 1);
  EXPECT_EQ(asked.last_v4.outcome, Outcome::found);
  EXPECT_EQ(asked.last_v4.ttl, 1h);
  EXPECT_EQ(asked.last_v6.outcome, Outcome::none);
}

TEST_F(DnsClientTest, WorksOnceThereAreDescriptors) {
  const ResolverSettings settings = server_.settings();
  Worker& worker = *worker_;
  std::unique_ptr<DnsClient> client;
  {
    const NoDescriptorLeft none;
    client = std::make_unique<DnsClient>(worker, settings);
  }
  Asked asked;
  client->ask("app.test", asked);
  await_answer(asked);
  EXPECT_EQ(asked.last_v4.outcome, Outcome::found);
}

}  // namespace
}  // namespace weir::discovery
