#include "protocol/http1/scan.h"

#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "base/random.h"

namespace weir::http1 {
namespace {

using http::CharacterClass;

struct Kind {
  CharacterClass which;
  const char* (*skip_fast)(const char* at, const char* end) noexcept;
  std::string_view usual;  // some of what it passes over
};
constexpr Kind kKinds[] = {{CharacterClass::token, &skip_token, "Sec-Fetch_Mode.7"},
                           {CharacterClass::target, &skip_target, "/a%20b?c=d&e"},
                           {CharacterClass::value, &skip_value, "text/html;q=0.9, \t\xc3\xa9"}};

constexpr std::size_t kLengthMax = 130;

// Bytes on the heap that end with their last one, so that a read beyond is seen by sanitizers.
struct Exact {
  explicit Exact(std::string_view text)
      : bytes(std::make_unique_for_overwrite<char[]>(text.size())), size(text.size()) {
    text.copy(bytes.get(), size);
  }
  const char* begin() const { return bytes.get(); }
  const char* end() const { return bytes.get() + size; }
  std::unique_ptr<char[]> bytes;
  std::size_t size;
};

std::string repeat(std::string_view text, std::size_t size) {
  std::string repeated;
  while (repeated.size() < size) repeated += text;
  repeated.resize(size);
  return repeated;
}

void expect_same(const Kind& kind, std::string_view text) {
  const Exact exact(text);
  for (const char* from = exact.begin(); from != exact.end(); ++from) {
    ASSERT_EQ(kind.skip_fast(from, exact.end()), skip(kind.which, from))
        << "from " << from - exact.begin() << " of " << testing::PrintToString(text);
  }
}

TEST(Scan, StopsAtEachByteThatIsNotOfTheClass) {
  for (const Kind& kind : kKinds) {
    for (int byte = 0; byte < 256; ++byte) {
      for (const std::size_t at : {0, 1, 15, 16, 17, 31, 40}) {
        std::string text = repeat(kind.usual, 48);
        text[at] = static_cast<char>(byte);
        expect_same(kind, text + '\n');
      }
    }
  }
}

TEST(Scan, StopsAtTheSameByteWhereverItIs) {
  for (const Kind& kind : kKinds) {
    for (std::size_t size = 0; size <= kLengthMax; ++size) {
      expect_same(kind, repeat(kind.usual, size) + '\n');
    }
    for (std::size_t at = 0; at < kLengthMax; ++at) {
      std::string text = repeat(kind.usual, kLengthMax);
      text[at] = '\r';
      expect_same(kind, text + '\n');
    }
  }
}

TEST(Scan, StopsAtTheSameByteOfAnyBytes) {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    for (const Kind& kind : kKinds) {
      std::string text = repeat(kind.usual, random.below(kLengthMax));
      for (std::uint32_t changes = random.below(4); changes != 0 && !text.empty(); --changes) {
        text[random.below(static_cast<std::uint32_t>(text.size()))] =
            static_cast<char>(random.below(256));
      }
      expect_same(kind, text + '\n');
    }
  }
}

std::size_t find_head_end_plainly(std::string_view bytes, std::size_t from) {
  while (from < bytes.size() && !is_head_end(bytes.data() + from)) ++from;
  return from < bytes.size() ? from : std::string_view::npos;
}

void expect_same_end(std::string_view text) {
  const Exact exact(text);
  const std::string_view bytes(exact.begin(), exact.size);
  for (std::size_t from = 2; from <= bytes.size() + 1; ++from) {
    ASSERT_EQ(find_head_end(bytes, from), find_head_end_plainly(bytes, from))
        << "from " << from << " of " << testing::PrintToString(text);
  }
}

TEST(HeadEnd, IsTheLineFeedOfTheEmptyLine) {
  const std::string_view head = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\nA: b\r\n\r\n";
  EXPECT_EQ(find_head_end(head, 2), head.find("\r\n\r\n") + 3);
}

TEST(HeadEnd, IsALineFeedWithoutACarriageReturn) {
  const std::string_view head = "GET / HTTP/1.1\r\nHost: example.com\nA: b\r\n\r\n";
  EXPECT_EQ(find_head_end(head, 2), head.find("\nA"));
}

TEST(HeadEnd, IsFoundWhereverItIs) {
  for (const std::string_view end : {"\r\n\r\n", "\n", "\r\n\n", "\r\n", "\r\r\n"}) {
    for (std::size_t at = 0; at <= kLengthMax; ++at) {
      std::string text = repeat("Host: example.com\r\n", kLengthMax);
      text.insert(at, end);
      expect_same_end(text);
      expect_same_end(std::string_view(text).substr(0, at + end.size()));
    }
  }
}

TEST(HeadEnd, IsTheSameOfAnyBytes) {
  Random random(1);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::uint32_t size = random.below(kLengthMax); size != 0; --size) {
      text += "\r\n\r\nabcd"[random.below(8)];
    }
    expect_same_end(text);
  }
}

}  // namespace
}  // namespace weir::http1
