#include "discovery/name_state.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "base/random.h"

namespace weir::discovery {
namespace {

using Outcome = FamilyAnswer::Outcome;

constexpr TimePoint kStart{1000s};

std::vector<net::Address> addresses(std::initializer_list<const char*> ips) {
  std::vector<net::Address> parsed;
  for (const char* ip : ips) parsed.push_back(*net::Address::parse_with_optional_port(ip));
  return parsed;
}
FamilyAnswer found(Duration ttl, std::initializer_list<const char*> ips) {
  return {.outcome = Outcome::found, .addresses = addresses(ips), .ttl = ttl};
}
FamilyAnswer none() { return {.outcome = Outcome::none, .problem = "NXDOMAIN"}; }
FamilyAnswer failed() { return {.outcome = Outcome::failed, .problem = "SERVFAIL"}; }

class NameStateTest : public testing::Test {
 protected:
  // Both families are answered when the next question is due.
  void answer(const FamilyAnswer& v4, const FamilyAnswer& v6 = none()) {
    now_ = std::max(now_, state_.ask_at());
    state_.take(v4, v6, settings_, now_);
  }
  void fail_once() { answer(failed(), failed()); }
  Duration until_next() const { return state_.ask_at() - now_; }

  ResolverSettings settings_;
  TimePoint now_ = kStart;
  NameState state_{kStart};
};

TEST_F(NameStateTest, IsAskedForAtOnceAndAgainWhenItsTtlHasPassed) {
  EXPECT_EQ(state_.ask_at(), kStart);
  EXPECT_EQ(state_.health(), NameHealth::unasked);
  answer(found(30s, {"10.0.0.1"}), found(20s, {"[::1]"}));
  EXPECT_EQ(state_.health(), NameHealth::good);
  EXPECT_EQ(state_.addresses(), addresses({"10.0.0.1", "[::1]"}));
  EXPECT_EQ(until_next(), 20s);
  EXPECT_EQ(state_.good_until(), kStart + 20s);
  EXPECT_EQ(state_.problem(), "");
}

TEST_F(NameStateTest, ATtlStaysWithinTheSettings) {
  settings_.min_ttl = 2s;
  settings_.max_ttl = 60s;
  answer(found(0s, {"10.0.0.1"}));
  EXPECT_EQ(until_next(), 2s);
  answer(found(std::chrono::seconds(INT32_MAX), {"10.0.0.1"}));
  EXPECT_EQ(until_next(), 60s);
}

TEST_F(NameStateTest, AnAnswerInAnotherOrderIsTheSame) {
  answer(found(1s, {"10.0.0.2", "10.0.0.10", "10.0.0.2"}), found(1s, {"[::2]", "[::1]"}));
  const auto before = state_.addresses();
  EXPECT_EQ(before, addresses({"10.0.0.2", "10.0.0.10", "[::1]", "[::2]"}));
  answer(found(1s, {"10.0.0.10", "10.0.0.2"}), found(1s, {"[::1]", "[::2]"}));
  EXPECT_EQ(state_.addresses(), before);
}

TEST_F(NameStateTest, AGoodAnswerOutlivesAnyNumberOfFailures) {
  answer(found(5s, {"10.0.0.1"}));
  const TimePoint good_until = state_.good_until();
  for (int i = 0; i < 1000; ++i) {
    fail_once();
    ASSERT_EQ(state_.addresses(), addresses({"10.0.0.1"}));
    ASSERT_EQ(state_.health(), NameHealth::outlived);
    ASSERT_EQ(state_.problem(), "SERVFAIL");
    ASSERT_EQ(state_.good_until(), good_until);
  }
  answer(found(5s, {"10.0.0.2"}));
  EXPECT_EQ(state_.addresses(), addresses({"10.0.0.2"}));
  EXPECT_EQ(state_.health(), NameHealth::good);
  EXPECT_EQ(state_.problem(), "");
}

TEST_F(NameStateTest, FailuresAreTriedAgainEverMoreSeldom) {
  for (const Duration pause : {1s, 2s, 4s, 5s, 5s}) {
    fail_once();
    EXPECT_EQ(until_next(), pause);
    EXPECT_EQ(state_.health(), NameHealth::unresolved);
  }
  answer(found(60s, {"10.0.0.1"}));
  EXPECT_EQ(until_next(), 60s);
  fail_once();
  EXPECT_EQ(until_next(), 1s);
}

TEST_F(NameStateTest, ThatThereIsNoneCountsOnceItHasHeld) {
  settings_.hold_nx = 10s;
  answer(found(5s, {"10.0.0.1"}));
  answer(none());
  const TimePoint told = now_;
  while (now_ < told + settings_.hold_nx) {
    ASSERT_EQ(state_.health(), NameHealth::outlived);
    ASSERT_EQ(state_.addresses(), addresses({"10.0.0.1"}));
    ASSERT_LE(state_.ask_at(), told + settings_.hold_nx);
    answer(none());
  }
  EXPECT_EQ(now_, told + settings_.hold_nx);
  EXPECT_EQ(state_.health(), NameHealth::unresolved);
  EXPECT_TRUE(state_.addresses().empty());
  EXPECT_EQ(state_.problem(), "NXDOMAIN");
}

TEST_F(NameStateTest, AGoodAnswerBeginsTheHoldAnew) {
  settings_.hold_nx = 3s;
  for (int i = 0; i < 5; ++i) {
    answer(found(5s, {"10.0.0.1"}));
    answer(none());
    EXPECT_EQ(state_.health(), NameHealth::outlived);
  }
}

TEST_F(NameStateTest, WithoutAHoldThatThereIsNoneCountsAtOnce) {
  settings_.hold_nx = 0s;
  answer(found(5s, {"10.0.0.1"}));
  answer(none());
  EXPECT_EQ(state_.health(), NameHealth::unresolved);
}

TEST_F(NameStateTest, OneThatWasNeverGoodIsUnresolvedAtOnce) {
  answer(none());
  EXPECT_EQ(state_.health(), NameHealth::unresolved);
  EXPECT_EQ(until_next(), 1s);
}

TEST_F(NameStateTest, AFamilyThatFailsKeepsWhatItHad) {
  answer(found(5s, {"10.0.0.1"}), found(5s, {"[::1]"}));
  answer(found(60s, {"10.0.0.2"}), failed());
  EXPECT_EQ(state_.addresses(), addresses({"10.0.0.2", "[::1]"}));
  EXPECT_EQ(state_.health(), NameHealth::outlived);
  EXPECT_EQ(until_next(), 1s);
  answer(found(60s, {"10.0.0.2"}), none());
  EXPECT_EQ(state_.addresses(), addresses({"10.0.0.2"}));
  EXPECT_EQ(state_.health(), NameHealth::good);
}

TEST_F(NameStateTest, Ipv6ThatIsNeverAnsweredDoesNotHurryIpv4) {
  answer(found(60s, {"10.0.0.1"}), failed());
  EXPECT_EQ(state_.health(), NameHealth::good);
  EXPECT_EQ(until_next(), 60s);
}

TEST_F(NameStateTest, Ipv4ThatWasNotAnsweredIsAskedForAgainSoon) {
  for (const Duration pause : {1s, 2s, 4s}) {
    answer(failed(), found(60s, {"[::1]"}));
    EXPECT_EQ(state_.addresses(), addresses({"[::1]"}));
    EXPECT_EQ(state_.health(), NameHealth::outlived);
    EXPECT_EQ(state_.problem(), "SERVFAIL");
    EXPECT_EQ(until_next(), pause);
  }
  answer(found(60s, {"10.0.0.1"}), found(60s, {"[::1]"}));
  EXPECT_EQ(state_.addresses(), addresses({"10.0.0.1", "[::1]"}));
  EXPECT_EQ(state_.health(), NameHealth::good);
  EXPECT_EQ(until_next(), 60s);
}

TEST_F(NameStateTest, AFamilyThatNeverAnswersDoesNotKeepTheOther) {
  settings_.hold_nx = 3s;
  answer(found(60s, {"10.0.0.1"}), failed());
  answer(none(), failed());
  EXPECT_EQ(state_.health(), NameHealth::outlived);
  EXPECT_EQ(state_.problem(), "NXDOMAIN");
  while (!state_.addresses().empty()) {
    ASSERT_LT(now_, kStart + 60s + settings_.hold_nx);
    answer(none(), failed());
  }
  EXPECT_EQ(state_.health(), NameHealth::unresolved);
}

TEST_F(NameStateTest, AFamilyThatFailsNowKeepsTheOtherToo) {
  settings_.hold_nx = 0s;
  answer(found(5s, {"10.0.0.1"}), found(5s, {"[::1]"}));
  answer(none(), failed());
  EXPECT_EQ(state_.addresses(), addresses({"10.0.0.1", "[::1]"}));
  EXPECT_EQ(state_.problem(), "SERVFAIL");
}

TEST_F(NameStateTest, OfANameThatNeverResolvedTheFailureOfIpv4IsSaid) {
  answer(failed(), none());
  EXPECT_EQ(state_.health(), NameHealth::unresolved);
  EXPECT_EQ(state_.problem(), "SERVFAIL");
}

TEST_F(NameStateTest, NoMoreAddressesAreKeptThanAServerMayHave) {
  FamilyAnswer many = found(5s, {});
  for (int i = 0; i < 20; ++i) {
    many.addresses.push_back(
        *net::Address::parse_with_optional_port("10.0.0." + std::to_string(i)));
  }
  answer(many, found(5s, {"[::1]"}));
  EXPECT_EQ(state_.addresses().size(), net::kServerAddressesMax);
  EXPECT_EQ(state_.left_out(), 5u);
  answer(found(5s, {"10.0.0.1"}));
  EXPECT_EQ(state_.left_out(), 0u);
}

// Whatever is answered, time goes on, and once there was a good answer only a lasting NXDOMAIN
// takes it away.
TEST(NameStateProperties, HoldForAnyAnswers) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    ResolverSettings settings;
    settings.hold_nx = std::chrono::seconds(random.below(10));
    TimePoint now = kStart;
    NameState state(now);
    TimePoint none_since = kNever;
    const auto draw = [&](const char* ip) -> FamilyAnswer {
      switch (random.below(3)) {
        case 0:
          return failed();
        case 1:
          return none();
        default:
          return found(std::chrono::seconds(random.below(100)), {ip});
      }
    };
    const auto knows = [&](int family) {
      return std::ranges::count(state.addresses(), family, &net::Address::family) != 0;
    };
    for (int i = 0; i < 100; ++i) {
      const FamilyAnswer v4 = draw("10.0.0.1");
      const FamilyAnswer v6 = draw("[::1]");
      const bool had_some = !state.addresses().empty();
      const bool is_lost = (v4.outcome == Outcome::failed && knows(AF_INET)) ||
                           (v6.outcome == Outcome::failed && knows(AF_INET6));
      state.take(v4, v6, settings, now);
      const bool is_found = v4.outcome == Outcome::found || v6.outcome == Outcome::found;
      const bool is_none = v4.outcome == Outcome::none || v6.outcome == Outcome::none;
      const bool counts = is_none && !is_found && !is_lost;
      if (is_found) none_since = kNever;
      if (counts) none_since = std::min(none_since, now);
      const bool may_lose = counts && now - none_since >= settings.hold_nx;
      ASSERT_EQ(state.addresses().empty(), !is_found && (may_lose || !had_some)) << seed;
      ASSERT_EQ(state.addresses().empty(), state.health() == NameHealth::unresolved) << seed;
      ASSERT_GT(state.ask_at(), now) << seed;
      ASSERT_LE(state.ask_at(), now + settings.max_ttl) << seed;
      now = state.ask_at();
    }
  }
}

}  // namespace
}  // namespace weir::discovery
