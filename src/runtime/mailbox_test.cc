#include "runtime/mailbox.h"

#include <deque>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

namespace weir {
namespace {

struct Letter final : Message {
  Letter(std::vector<int>& out, int number) : delivered(out), number(number) {}
  void deliver() noexcept override { delivered.push_back(number); }
  std::vector<int>& delivered;
  int number;
};

TEST(Mailbox, DeliversEachMessageOnceInTheOrderOfPosting) {
  Mailbox mailbox;
  std::vector<int> delivered;
  std::deque<Letter> letters;
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(mailbox.post(letters.emplace_back(delivered, i)));
  }
  mailbox.deliver_all();
  mailbox.deliver_all();
  EXPECT_EQ(delivered, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Mailbox, SaysWhenTheReceiverHasToBeWoken) {
  Mailbox mailbox;
  std::vector<int> delivered;
  Letter first(delivered, 1), second(delivered, 2);
  EXPECT_TRUE(mailbox.post(first));
  EXPECT_FALSE(mailbox.post(second));
  mailbox.deliver_all();
  EXPECT_TRUE(mailbox.post(first));
  mailbox.deliver_all();
  EXPECT_EQ(delivered, (std::vector<int>{1, 2, 1}));
}

struct Chain final : Message {
  Chain(Mailbox& box, int length) : mailbox(box), left(length) {}
  void deliver() noexcept override {
    if (--left > 0) woken += mailbox.post(*this) ? 1 : 0;
  }
  Mailbox& mailbox;
  int left;
  int woken = 0;
};

TEST(Mailbox, WhatIsPostedDuringADeliveryComesWithTheNext) {
  Mailbox mailbox;
  Chain chain(mailbox, 3);
  EXPECT_TRUE(mailbox.post(chain));
  for (int left = 2; left >= 0; --left) {
    mailbox.deliver_all();
    EXPECT_EQ(chain.left, left);
  }
  EXPECT_EQ(chain.woken, 2);
}

struct Owned final : Message {
  explicit Owned(int& out) : delivered(out) {}
  void deliver() noexcept override {
    ++delivered;
    std::unique_ptr<Owned> self(this);
  }
  int& delivered;
};

TEST(Mailbox, AMessageMayDestroyItselfWhenDelivered) {
  Mailbox mailbox;
  int delivered = 0;
  for (int i = 0; i < 10; ++i) {
    static_cast<void>(mailbox.post(*std::make_unique<Owned>(delivered).release()));
  }
  mailbox.deliver_all();
  EXPECT_EQ(delivered, 10);
}

// What a sender wrote before posting is seen at the delivery, and each sender's order is kept.
TEST(Mailbox, KeepsTheOrderOfEachOfManySenders) {
  constexpr int kSenders = 8;
  constexpr int kMessages = 20'000;
  Mailbox mailbox;
  std::vector<std::vector<int>> delivered(kSenders);
  std::vector<std::thread> senders;
  std::vector<std::deque<Letter>> letters(kSenders);
  for (std::size_t i = 0; i < kSenders; ++i) {
    senders.emplace_back([&, i] {
      for (int number = 0; number < kMessages; ++number) {
        static_cast<void>(mailbox.post(letters[i].emplace_back(delivered[i], number)));
      }
    });
  }
  const auto all_delivered = [&] {
    for (const auto& numbers : delivered) {
      if (numbers.size() != kMessages) return false;
    }
    return true;
  };
  while (!all_delivered()) mailbox.deliver_all();
  for (std::thread& sender : senders) sender.join();
  for (const auto& numbers : delivered) {
    for (int number = 0; number < kMessages; ++number) {
      ASSERT_EQ(numbers[static_cast<std::size_t>(number)], number);
    }
  }
}

}  // namespace
}  // namespace weir
