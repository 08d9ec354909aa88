#include "backend/slots.h"

#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace weir::backend {
namespace {

TEST(Slots, AreAsManyAsMaxconnSays) {
  std::atomic<std::uint32_t> leases{0};
  for (std::uint32_t taken = 0; taken < 3; ++taken) {
    EXPECT_FALSE(is_full(leases, 3));
    EXPECT_TRUE(try_acquire_slot(leases, 3));
  }
  EXPECT_TRUE(is_full(leases, 3));
  EXPECT_FALSE(try_acquire_slot(leases, 3));
  EXPECT_EQ(leases, 3u);
  release_slot(leases);
  EXPECT_FALSE(is_full(leases, 3));
  EXPECT_TRUE(try_acquire_slot(leases, 3));
}

TEST(Slots, AreUnlimitedButCountedWithoutAMaxconn) {
  std::atomic<std::uint32_t> leases{1'000'000};
  EXPECT_FALSE(is_full(leases, 0));
  EXPECT_TRUE(try_acquire_slot(leases, 0));
  EXPECT_EQ(leases, 1'000'001u);
}

TEST(Slots, StayTakenWhenMaxconnIsLowered) {
  std::atomic<std::uint32_t> leases{5};
  EXPECT_TRUE(is_full(leases, 2));
  EXPECT_FALSE(try_acquire_slot(leases, 2));
  for (int i = 0; i < 4; ++i) release_slot(leases);
  EXPECT_TRUE(try_acquire_slot(leases, 2));
}

TEST(Slots, AreNeverTakenByMoreThreadsThanThereAre) {
  constexpr std::uint32_t kMaxconn = 2;
  std::atomic<std::uint32_t> leases{0};
  std::atomic<std::uint32_t> holders{0};
  std::atomic<bool> too_many{false};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int taken = 0; taken < 10'000;) {
        if (!try_acquire_slot(leases, kMaxconn)) {
          std::this_thread::yield();
          continue;
        }
        ++taken;
        if (holders.fetch_add(1) >= kMaxconn) too_many = true;
        holders.fetch_sub(1);
        release_slot(leases);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(too_many);
  EXPECT_EQ(leases, 0u);
}

}  // namespace
}  // namespace weir::backend
