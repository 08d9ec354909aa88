#include "discovery/resolver.h"

#include "discovery/discovery_test_support.h"

namespace weir::discovery {
namespace {

class ResolverTest : public testing::Test, NamesListener {
 protected:
  ~ResolverTest() override { resolver_.stop(); }

  bool await_questions(std::size_t count) {
    return worker_.turn_until([&] { return server_.receive_all() >= count; });
  }
  bool await_address(std::string_view name) {
    return worker_.turn_until([&] {
      server_.answer_all();
      return resolver_.find_answer(name)->health == NameHealth::good;
    });
  }

  net::test::TestWorker worker_;
  test::NameServerEnd server_;
  Resolver resolver_{*worker_, *this};

 private:
  void on_names_changed() noexcept override {}
};

TEST_F(ResolverTest, QuestionsUnderWayStayWhileTheSettingsDo) {
  resolver_.follow({"app.test"}, server_.settings());
  ASSERT_TRUE(await_questions(2));
  resolver_.follow({"app.test"}, server_.settings());
  worker_.turn_a_little();
  ASSERT_TRUE(await_address("app.test"));
  EXPECT_EQ(server_.receive_all(), 2u);
}

TEST_F(ResolverTest, OtherSettingsAskAgain) {
  resolver_.follow({"app.test"}, server_.settings());
  ASSERT_TRUE(await_questions(2));
  ResolverSettings settings = server_.settings();
  settings.attempts = 2;
  resolver_.follow({"app.test"}, settings);
  EXPECT_TRUE(await_questions(4));
  EXPECT_TRUE(await_address("app.test"));
}

TEST_F(ResolverTest, NamesThatAreFollowedNoMoreHoldNobodyUp) {
  Resolver::Names names;
  for (int i = 0; i < 100; ++i) names.insert("old" + std::to_string(i) + ".test");
  resolver_.follow(names, server_.settings());
  ASSERT_TRUE(await_questions(64));
  worker_.turn_a_little();
  EXPECT_EQ(server_.receive_all(), 64u);  // the others wait for these
  resolver_.follow({"new.test"}, server_.settings());
  EXPECT_TRUE(await_questions(66));
  EXPECT_TRUE(await_address("new.test"));
  EXPECT_EQ(server_.receive_all(), 66u);
}

}  // namespace
}  // namespace weir::discovery
