#include "backend/server_choice.h"

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <string>

namespace weir::backend {
namespace {

using balance::ServerIndex;
using enum ServerVerdict;

ServerIndex server(std::size_t number) { return balance::to_server(number); }

struct Spec {
  std::uint32_t weight = 1;
  bool backup = false;
  std::optional<std::uint32_t> maxconn = {};
};

BackendSettings settings_of(std::initializer_list<Spec> specs) {
  BackendSettings settings;
  for (const Spec& spec : specs) {
    ServerSettings& server = settings.servers.emplace_back();
    server.weight = spec.weight;
    server.backup = spec.backup;
    server.maxconn = spec.maxconn;
  }
  return settings;
}

// A backend whose servers are at no address, and one worker's choice among them.
class Chosen {
 public:
  explicit Chosen(BackendSettings settings) : backend_(named(std::move(settings)), registry_) {}

  ServerIndex pick(TimePoint now = {}) {
    const ServerIndex picked =
        choice.pick({}, {.random = random.next(), .now = now}, ServerChoice::Slot::take);
    if (picked != ServerIndex::none) taken_.push_back(picked);
    return picked;
  }
  // The slot that was taken first.
  void give_back() {
    if (taken_.empty()) return;
    of(taken_.front()).end_lease();
    choice.on_release(taken_.front(), {}, {});
    taken_.pop_front();
  }
  void set(std::size_t number, AdminState state) {
    of(server(number)).set_admin_state(state);
    choice.adopt(backend_.renew_candidates({}));
  }
  void set(std::size_t number, std::uint32_t weight) {
    of(server(number)).set_weight(weight);
    choice.adopt(backend_.renew_candidates({}));
  }
  ExplainedPick explain(TimePoint now = {}) const { return choice.explain({}, random, now); }
  std::vector<ServerVerdict> verdicts(TimePoint now = {}) const {
    std::vector<ServerVerdict> verdicts;
    for (const JudgedServer& judged : explain(now).servers) verdicts.push_back(judged.verdict);
    return verdicts;
  }

 private:
  static BackendSettings named(BackendSettings settings) {
    settings.name.value = "b";
    for (std::size_t i = 0; i < settings.servers.size(); ++i) {
      settings.servers[i].name.value = "s" + std::to_string(i);
    }
    return settings;
  }
  Server& of(ServerIndex index) { return backend_.server(index); }

  stats::Registry registry_{1};
  Backend backend_;
  std::deque<ServerIndex> taken_;

 public:
  ServerChoice choice{backend_, balance::WorkerIndex{0}, 1};
  Random random{7};
};

TEST(ServerChoice, SaysOfEachServerWhyItIsNotPicked) {
  Chosen chosen(
      settings_of({{.weight = 2}, {.weight = 0}, {}, {}, {.maxconn = 1}, {}, {.backup = true}}));
  chosen.set(2, AdminState::draining);
  chosen.set(3, AdminState::disabled);
  chosen.choice.leave_out(server(5), TimePoint{} + 1s);
  EXPECT_EQ(chosen.pick(TimePoint{} + 1s), server(0));
  EXPECT_EQ(chosen.pick(TimePoint{} + 1s), server(4));
  EXPECT_EQ(chosen.verdicts(TimePoint{} + 1s),
            std::vector({picked, weight_zero, draining, disabled, full, refused_a_moment_ago,
                         ServerVerdict::backup}));
}

TEST(ServerChoice, ABackupIsJudgedLikeAnyoneWhenNoPrimaryIsLeft) {
  Chosen chosen(settings_of({{.weight = 0}, {.backup = true}, {.weight = 0, .backup = true}}));
  EXPECT_EQ(chosen.verdicts(), std::vector({weight_zero, picked, weight_zero}));
}

TEST(ServerChoice, SaysWhyTheFirstPlacesHaveNobody) {
  BackendSettings settings = settings_of({{.maxconn = 1}, {}, {}, {}});
  for (std::uint32_t i = 0; i < 4; ++i) settings.servers[i].priority = i;
  Chosen chosen(std::move(settings));
  EXPECT_EQ(chosen.pick(TimePoint{} + 1s), server(0));
  chosen.choice.leave_out(server(1), TimePoint{} + 1s);
  EXPECT_EQ(chosen.verdicts(TimePoint{} + 1s),
            std::vector({full, refused_a_moment_ago, picked, reserve}));
}

TEST(ServerChoice, SaysWhoIsBehindIfTheAlgorithmCompares) {
  BackendSettings settings = settings_of({{}, {}, {}});
  settings.balance = balance::default_settings("least_connections");
  Chosen comparing(settings);
  EXPECT_EQ(comparing.pick(), server(0));
  EXPECT_EQ(comparing.verdicts(), std::vector({behind, picked, behind}));
  settings.balance = balance::default_settings("round_robin");
  Chosen in_turn(settings);
  EXPECT_EQ(in_turn.pick(), server(0));
  EXPECT_EQ(in_turn.verdicts(), std::vector({usable, picked, usable}));
}

TEST(ServerChoice, NobodyIsPickedWhenAllAreFull) {
  Chosen chosen(settings_of({{.maxconn = 1}, {.weight = 0}}));
  EXPECT_FALSE(chosen.explain().is_full);
  EXPECT_EQ(chosen.pick(), server(0));
  const ExplainedPick explained = chosen.explain();
  EXPECT_TRUE(explained.is_full);
  EXPECT_EQ(explained.picked, ServerIndex::none);
  EXPECT_TRUE(explained.order.empty());
  EXPECT_EQ(chosen.verdicts(), std::vector({full, weight_zero}));
  chosen.give_back();
  EXPECT_EQ(chosen.explain().picked, server(0));
}

TEST(ServerChoice, TheOneThatRefusedIsPickedWhenThereIsNobodyElse) {
  Chosen chosen(settings_of({{}, {.weight = 0}}));
  chosen.choice.leave_out(server(0), TimePoint{} + 1s);
  EXPECT_EQ(chosen.verdicts(TimePoint{} + 1s), std::vector({picked, weight_zero}));
}

TEST(ServerChoice, ARefusalIsForgottenAfterThePause) {
  Chosen chosen(settings_of({{}, {}}));
  chosen.choice.leave_out(server(1), TimePoint{} + 1s);
  EXPECT_EQ(chosen.verdicts(TimePoint{} + 1999ms), std::vector({picked, refused_a_moment_ago}));
  EXPECT_EQ(chosen.verdicts(TimePoint{} + 2s), std::vector({picked, usable}));
}

TEST(ServerChoice, SaysWhereChanceDecides) {
  BackendSettings settings = settings_of({{}, {}});
  for (const bool is_drawn : {false, true}) {
    settings.balance = balance::default_settings(is_drawn ? "random" : "round_robin");
    EXPECT_EQ(Chosen(settings).explain().is_drawn, is_drawn);
  }
}

// Two choices with the same past; one is asked before each step, the other never.
class AskingMovesNothing : public testing::TestWithParam<std::size_t> {
 protected:
  BackendSettings settings() {
    BackendSettings settings;
    settings.balance = balance::default_settings(balance::pickers()[GetParam()].name);
    for (std::uint32_t i = 1 + random_.below(9); i > 0; --i) {
      ServerSettings& server = settings.servers.emplace_back();
      server.weight = random_.below(4);
      server.backup = random_.below(4) == 0;
      if (random_.below(3) == 0) server.maxconn = 1 + random_.below(3);
    }
    return settings;
  }
  void step(std::size_t servers, auto&& on_both) {
    const std::size_t number = random_.below(static_cast<std::uint32_t>(servers));
    const auto value = random_.below(3);
    switch (random_.below(10)) {
      case 0:
        return on_both([&](Chosen& each) { each.set(number, AdminState(value)); });
      case 1:
        return on_both([&](Chosen& each) { each.set(number, value); });
      case 2:
        return on_both([&](Chosen& each) { each.choice.leave_out(server(number), now_); });
      case 3:
        now_ += 400ms;
        return;
      default:
        return on_both([](Chosen& each) { each.give_back(); });
    }
  }

  Random random_{5};
  TimePoint now_{1s};
};

TEST_P(AskingMovesNothing, AndNamesTheServerThatIsPickedThen) {
  for (int round = 0; round < 200; ++round) {
    const BackendSettings same = settings();
    Chosen asked(same);
    Chosen unasked(same);
    for (int i = 0; i < 50; ++i) {
      step(same.servers.size(), [&](auto change) {
        change(asked);
        change(unasked);
      });
      const ExplainedPick explained = asked.explain(now_);
      const ServerIndex picked = asked.pick(now_);
      ASSERT_EQ(explained.picked, picked);
      ASSERT_EQ(picked, unasked.pick(now_));
      ASSERT_EQ(explained.is_full, picked == ServerIndex::none && asked.choice.are_some_full());
      if (picked == ServerIndex::none) continue;
      ASSERT_EQ(explained.order.front(), picked);
      ASSERT_EQ(
          std::ranges::count(explained.servers, ServerVerdict::picked, &JudgedServer::verdict), 1);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ServerChoice, AskingMovesNothing,
                         testing::Range(std::size_t{0}, balance::pickers().size()),
                         [](const auto& picker) {
                           return std::string(balance::pickers()[picker.param].name);
                         });

}  // namespace
}  // namespace weir::backend
