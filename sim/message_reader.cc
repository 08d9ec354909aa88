#include "sim/message_reader.h"

#include <algorithm>
#include <cstdlib>
#include <strings.h>

namespace weir::sim {

std::string_view MessageHead::find(std::string_view name) const noexcept {
  for (const auto& [field, value] : fields) {
    const bool same =
        field.size() == name.size() && ::strncasecmp(field.data(), name.data(), name.size()) == 0;
    if (same) return value;
  }
  return {};
}

std::uint64_t MessageHead::number(std::string_view name) const noexcept {
  return std::strtoull(std::string(find(name)).c_str(), nullptr, 10);
}

int MessageHead::status() const noexcept {
  return first_line.size() < 12 ? 0 : std::atoi(first_line.c_str() + 9);
}

bool MessageReader::take_line(std::string& line) {
  const std::size_t end = input_.find("\r\n");
  if (end == std::string::npos) return false;
  line = input_.substr(0, end);
  input_.erase(0, end + 2);
  return true;
}

MessageReader::Event MessageReader::next(bool for_head) {
  switch (state_) {
    case State::head:
      return read_head(for_head);
    case State::plain:
      return take_body(left_);
    case State::until_close:
      if (input_.empty() && is_ended_) {
        state_ = State::end;
        return next();
      }
      return take_body(input_.size());
    case State::chunk_size:
      return read_chunk_size();
    case State::chunk:
      return take_body(left_);
    case State::chunk_end: {
      std::string line;
      if (!take_line(line)) return Event::none;
      if (is_last_chunk_ && !line.empty()) {
        trailers_.push_back(line);
        return next();
      }
      if (!line.empty()) return Event::failed;
      state_ = is_last_chunk_ ? State::end : State::chunk_size;
      return next();
    }
    case State::end:
      state_ = State::head;
      return Event::end;
  }
  return Event::failed;
}

MessageReader::Event MessageReader::take_body(std::size_t count) {
  const std::size_t taken = std::min(count, input_.size());
  if (taken == 0) return Event::none;
  body_ = input_.substr(0, taken);
  input_.erase(0, taken);
  if (state_ == State::until_close) return Event::body;
  left_ -= taken;
  if (left_ == 0) state_ = state_ == State::chunk ? State::chunk_end : State::end;
  return Event::body;
}

MessageReader::Event MessageReader::read_chunk_size() {
  std::string line;
  if (!take_line(line)) return Event::none;
  char* end = nullptr;
  left_ = std::strtoull(line.c_str(), &end, 16);
  if (line.empty() || *end != '\0') return Event::failed;
  is_last_chunk_ = left_ == 0;
  state_ = is_last_chunk_ ? State::chunk_end : State::chunk;
  return next();
}

MessageReader::Event MessageReader::read_head(bool for_head) {
  const std::size_t end = input_.find("\r\n\r\n");
  if (end == std::string::npos) return Event::none;
  head_ = {};
  trailers_.clear();
  std::string line;
  take_line(line);
  head_.first_line = line;
  while (take_line(line) && !line.empty()) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) return Event::failed;
    head_.fields.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  left_ = head_.number("Content-Length");
  const int status = kind_ == Kind::response ? head_.status() : 0;
  const bool is_bodiless =
      for_head || status == 204 || status == 304 || (status >= 100 && status < 200);
  if (is_bodiless) {
    state_ = State::end;
  } else if (head_.find("Transfer-Encoding") == "chunked") {
    state_ = State::chunk_size;
  } else if (!head_.find("Content-Length").empty() || kind_ == Kind::request) {
    state_ = left_ == 0 ? State::end : State::plain;
  } else {
    state_ = State::until_close;
  }
  return Event::head;
}

}  // namespace weir::sim
