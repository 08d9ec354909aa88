#include "proxy/failure_sentence.h"

#include <fmt/format.h>

#include "backend/worker_backend.h"

namespace weir::proxy {
namespace {

using backend::ServerVerdict;

// One item of a list: a server's name has at most 128 bytes.
using Item = std::array<char, 256>;

template <class... T>
std::string_view print(Item& item, fmt::format_string<T...> format, T&&... values) {
  const auto end = fmt::format_to_n(item.data(), item.size(), format, std::forward<T>(values)...);
  return {item.data(), std::min(end.size, item.size())};
}

// "The server is wrong. Tried a, b and 3 more."
class ListSentence {
 public:
  ListSentence(std::span<char> room, std::string_view what) : room_(room) { append(what); }

  // False: there is no room for it and for how many there are besides.
  [[nodiscard]] bool add(std::string_view lead, std::string_view item) {
    const std::string_view before = is_empty_ ? lead : ", ";
    if (size_ + before.size() + item.size() + kEndBytes > room_.size()) return false;
    append(before);
    append(item);
    is_empty_ = false;
    return true;
  }
  std::string_view end(std::size_t more) {
    Item item;
    if (!is_empty_ && more != 0) append(print(item, " and {} more", more));
    if (!is_empty_) append(".");
    return {room_.data(), size_};
  }

 private:
  static constexpr std::size_t kEndBytes = sizeof " and 65535 more.";

  void append(std::string_view text) {
    size_ += text.copy(room_.data() + size_, room_.size() - size_);
  }

  std::span<char> room_;
  std::size_t size_ = 0;
  bool is_empty_ = true;
};

// As long as anybody wants to know exactly.
std::string_view print_duration(Item& item, std::uint32_t us) {
  if (us == UINT32_MAX) return "more than 1 h";
  if (us < 1'000'000) return print(item, "{}.{} ms", us / 1000, us / 100 % 10);
  return print(item, "{}.{} s", us / 1'000'000, us / 100'000 % 10);
}

std::string_view list_attempts(ListSentence& sentence, const AttemptLog& attempts) {
  Item item;
  Item duration;
  std::size_t left = attempts.size();
  for (const AttemptRecord& record : attempts.records()) {
    const std::uint32_t us =
        record.end_us == UINT32_MAX ? UINT32_MAX : record.end_us - record.start_us;
    const bool has_room =
        sentence.add(" Tried ", print(item, "{} ({} after {})", record.server->server().name(),
                                      row_of(record.error).word, print_duration(duration, us)));
    if (!has_room) break;
    --left;
  }
  return sentence.end(left);
}

// Empty: it can be used.
std::string_view print_verdict(Item& item, ServerVerdict verdict, const backend::Server& server,
                               std::string_view problem) {
  switch (verdict) {
    case ServerVerdict::weight_zero:
      return print(item, "{} has weight 0", server.name());
    case ServerVerdict::unresolved:
      return print(item, "{}: {}", server.name(), problem);
    case ServerVerdict::draining:
      return print(item, "{} is draining", server.name());
    case ServerVerdict::disabled:
      return print(item, "{} is disabled", server.name());
    case ServerVerdict::full:
      return print(item, "{} is at its maxconn ({})", server.name(), server.maxconn());
    case ServerVerdict::refused_a_moment_ago:
    case ServerVerdict::picked:
    case ServerVerdict::usable:
    case ServerVerdict::behind:
    case ServerVerdict::backup:
    case ServerVerdict::reserve:
    case ServerVerdict::unplaced:
    case ServerVerdict::other_subset:
      return {};
  }
  return {};
}

// Nobody was picked. Whoever can be used again by now is not spoken of.
std::string_view list_servers(ListSentence& sentence, backend::WorkerBackend& backend) {
  Item item;
  std::size_t left = backend.backend().size();
  for (std::size_t i = 0; i < backend.backend().size(); ++i) {
    const balance::ServerIndex server = balance::to_server(i);
    const ServerVerdict verdict = backend.choice().judge(server, balance::ServerIndex::none);
    const std::string_view text = print_verdict(item, verdict, backend.backend().server(server),
                                                backend.choice().problem_of(server));
    if (!text.empty() && !sentence.add(" ", text)) break;
    --left;
  }
  return sentence.end(left);
}

}  // namespace

std::string_view write_failure_sentence(const Failure& failure,
                                        std::span<char, stats::kAccessSentenceBytesMax> room) {
  ListSentence sentence(room, failure.what);
  if (failure.attempts.size() != 0) return list_attempts(sentence, failure.attempts);
  switch (failure.error.kind) {
    case ErrorKind::no_server:
    case ErrorKind::queue_full:
    case ErrorKind::queue_timeout:
      if (failure.backend != nullptr) return list_servers(sentence, failure.backend->newest());
      break;
    default:
      break;
  }
  return sentence.end(0);
}

}  // namespace weir::proxy
