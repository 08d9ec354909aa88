#include "base/log_ring.h"

#include <deque>
#include <gtest/gtest.h>
#include <string>
#include <thread>

#include "base/random.h"

namespace weir {
namespace {

std::string text(std::span<const char> bytes) { return {bytes.begin(), bytes.end()}; }

// A record that says how long it is and what it holds, so that a torn one is seen.
std::string make_record(Random& random, std::size_t size_max) {
  const std::size_t size = 1 + random.below(static_cast<std::uint32_t>(size_max));
  return std::string(size, static_cast<char>('a' + random.below(26)));
}

TEST(LogRing, GivesRecordsBackInOrder) {
  LogRing ring(64);
  EXPECT_TRUE(ring.front().empty());
  EXPECT_TRUE(ring.try_push(std::string("one")));
  EXPECT_TRUE(ring.try_push(std::string("two")));
  EXPECT_EQ(text(ring.front()), "one");
  EXPECT_EQ(text(ring.front()), "one");
  ring.pop();
  EXPECT_EQ(text(ring.front()), "two");
  ring.pop();
  EXPECT_TRUE(ring.front().empty());
}

TEST(LogRing, RefusesWhenFullAndTakesAgainAfterPop) {
  LogRing ring(64);
  int pushed = 0;
  while (ring.try_push(std::string("12345678"))) ++pushed;
  EXPECT_EQ(pushed, 4);  // 4 bytes of length and 8 of record, rounded to 16
  ASSERT_EQ(text(ring.front()), "12345678");
  ring.pop();
  EXPECT_TRUE(ring.try_push(std::string("abcdefgh")));
  EXPECT_FALSE(ring.try_push(std::string("x")));
}

TEST(LogRing, TakesTheLargestRecordAtEveryOffsetWhenEmpty) {
  LogRing ring(256);
  const std::string largest(ring.record_bytes_max(), 'x');
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ring.try_push(std::string("step")));
    ring.front();
    ring.pop();
    ASSERT_TRUE(ring.try_push(largest)) << i;
    ASSERT_EQ(text(ring.front()), largest);
    ring.pop();
  }
}

TEST(LogRing, CommitsLessThanWasReservedAndForgetsWhatWasNotCommitted) {
  LogRing ring(64);
  EXPECT_EQ(ring.try_reserve(20).size(), 20u);
  EXPECT_TRUE(ring.front().empty());
  std::span<char> room = ring.try_reserve(24);
  ASSERT_EQ(room.size(), 24u);
  room[0] = 'a';
  room[1] = 'b';
  ring.commit(2);
  EXPECT_EQ(text(ring.front()), "ab");
  ring.pop();
  EXPECT_TRUE(ring.front().empty());
}

TEST(LogRing, BehavesLikeAQueueForRandomSizesAndInterleavings) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    LogRing ring(std::size_t{64} << random.below(5));
    std::deque<std::string> model;
    for (int step = 0; step < 2000; ++step) {
      if (random.below(2) == 0) {
        std::string record = make_record(random, ring.record_bytes_max());
        if (ring.try_push(record)) {
          model.push_back(std::move(record));
        } else {
          ASSERT_FALSE(model.empty()) << "an empty ring takes every record, seed " << seed;
        }
      } else {
        const std::span<const char> record = ring.front();
        ASSERT_EQ(record.empty(), model.empty()) << "seed " << seed;
        if (model.empty()) continue;
        ASSERT_EQ(text(record), model.front()) << "seed " << seed;
        model.pop_front();
        ring.pop();
      }
    }
  }
}

TEST(LogRing, CarriesEveryRecordBetweenTwoThreads) {
  constexpr int kRecords = 50'000;
  LogRing ring(1024);
  std::thread producer([&ring] {
    Random random(7);
    for (int i = 0; i < kRecords; ++i) {
      const std::string record = make_record(random, 200);
      while (!ring.try_push(record)) std::this_thread::yield();
    }
  });
  Random random(7);
  int wrong = 0;
  for (int i = 0; i < kRecords; ++i) {
    std::span<const char> record = ring.front();
    while (record.empty()) {
      std::this_thread::yield();
      record = ring.front();
    }
    if (text(record) != make_record(random, 200)) ++wrong;
    ring.pop();
  }
  producer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(ring.front().empty());
}

}  // namespace
}  // namespace weir
