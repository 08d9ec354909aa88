#pragma once
// What the tests of those that ask name servers share: a name server.

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "discovery/resolver_settings.h"
#include "net/net_test_support.h"

namespace weir::discovery::test {

// Every name is at 127.0.0.1, and has no IPv6 address. Answers when it is told to.
class NameServerEnd {
 public:
  NameServerEnd() {
    const net::Address any = *net::Address::parse_with_optional_port("127.0.0.1");
    EXPECT_EQ(::bind(fd_.get(), any.view().address, any.view().length), 0);
  }

  // It alone is asked, and only once.
  ResolverSettings settings() const {
    ResolverSettings settings;
    settings.servers = {{net::test::local_address(fd_.get())}};
    settings.timeout = 1min;
    settings.attempts = 1;
    return settings;
  }
  // How many questions have come so far; each name makes two.
  std::size_t receive_all() {
    std::string question(512, '\0');
    sockaddr_storage from{};
    for (;;) {
      socklen_t length = sizeof from;
      const ssize_t size = ::recvfrom(fd_.get(), question.data(), question.size(), MSG_DONTWAIT,
                                      reinterpret_cast<sockaddr*>(&from), &length);
      if (size <= 0) return received_;
      ++received_;
      waiting_.push_back({question.substr(0, static_cast<std::size_t>(size)), from, length});
    }
  }
  void answer_all() {
    receive_all();
    for (const Question& question : waiting_) {
      const std::string answer = answer_to(question.text);
      ::sendto(fd_.get(), answer.data(), answer.size(), 0,
               reinterpret_cast<const sockaddr*>(&question.from), question.from_length);
    }
    waiting_.clear();
  }

 private:
  struct Question {
    std::string text;
    sockaddr_storage from;
    socklen_t from_length;
  };

  static std::string answer_to(std::string_view question) {
    using namespace std::string_view_literals;
    const std::size_t name_end = question.find('\0', 12);
    const bool is_v4 = question[name_end + 2] == 1;
    std::string answer(question.substr(0, 2));
    answer += is_v4 ? "\x81\x80\0\1\0\1\0\0\0\0"sv : "\x81\x80\0\1\0\0\0\0\0\0"sv;
    answer += question.substr(12, name_end + 5 - 12);
    // The name asked for, A, IN, an hour, 127.0.0.1.
    if (is_v4) answer += "\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4\x7f\0\0\1"sv;
    return answer;
  }

  Fd fd_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  std::vector<Question> waiting_;
  std::size_t received_ = 0;
};

}  // namespace weir::discovery::test
