#pragma once
// How the simulation's clients and servers read HTTP/1.1: a reader of their own, so that Weir's is
// not asked to judge itself. It believes what Weir may write and no more.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::sim {

struct MessageHead {
  std::string first_line;
  std::vector<std::pair<std::string, std::string>> fields;

  // Names without case; empty if there is none.
  std::string_view find(std::string_view name) const noexcept;
  std::uint64_t number(std::string_view name) const noexcept;
  // Of a response.
  int status() const noexcept;
};

class MessageReader {
 public:
  enum class Kind : std::uint8_t { request, response };
  enum class Event : std::uint8_t { none, head, body, end, failed };
  explicit MessageReader(Kind kind) noexcept : kind_(kind) {}

  void feed(std::string_view bytes) { input_ += bytes; }
  // The peer has ended its side.
  void end_input() noexcept { is_ended_ = true; }
  // What comes next in the input; none: more has to be fed. `for_head`: the response expected now
  // answers a HEAD.
  Event next(bool for_head = false);

  const MessageHead& head() const noexcept { return head_; }
  std::string_view body() const noexcept { return body_; }
  // Lines behind the body of the message that has ended last.
  const std::vector<std::string>& trailers() const noexcept { return trailers_; }
  // Between messages, with nothing of the next one there.
  bool is_at_rest() const noexcept { return state_ == State::head && input_.empty(); }
  bool has_head() const noexcept { return state_ != State::head; }

 private:
  enum class State : std::uint8_t { head, plain, until_close, chunk_size, chunk, chunk_end, end };
  Event read_head(bool for_head);
  Event read_chunk_size();
  Event take_body(std::size_t count);
  bool take_line(std::string& line);

  Kind kind_;
  State state_ = State::head;
  std::string input_;
  bool is_ended_ = false;
  MessageHead head_;
  std::string body_;
  std::vector<std::string> trailers_;
  std::uint64_t left_ = 0;
  bool is_last_chunk_ = false;
};

}  // namespace weir::sim
