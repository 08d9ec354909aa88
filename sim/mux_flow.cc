#include "sim/mux_flow.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/core.h>

namespace weir::sim {

using net::BodyEnd;
using net::BodyRead;
using net::BodyWrite;
using net::Waiter;

std::string lines_of(const http::FieldList& fields) {
  std::string lines;
  for (const http::Field& field : fields) {
    if (field.scope == http::Scope::hop_by_hop) continue;
    lines += fmt::format("{}:{}\n", field.name, field.value);
  }
  return lines;
}

bool add_lines(std::string_view lines, http::FieldList& fields) {
  while (!lines.empty()) {
    http::Field field{.name = take_until(lines, ':'), .value = take_until(lines, '\n')};
    field.id = http::find_field_id(field.name);
    if (!fields.add(field)) return false;
  }
  return true;
}

std::string length_text(const http::BodyLength& body) {
  switch (body.framing) {
    case http::Framing::none:
    case http::Framing::length:
      return std::to_string(body.bytes);
    case http::Framing::chunked:
    case http::Framing::until_close:
      break;
  }
  return "-";
}

http::BodyLength length_of(std::string_view text) {
  if (text == "-") return {http::Framing::chunked, 0};
  return {http::Framing::length, std::strtoull(std::string(text).c_str(), nullptr, 10)};
}

std::string_view take_until(std::string_view& text, char end) noexcept {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(text.size(), at + 1));
  return taken;
}

MuxFlow::Waiting::Waiting(Side its_side) noexcept
    : Timer([](Timer& self) noexcept {
        auto& waiting = static_cast<Waiting&>(self);
        waiting.end(make_error(ErrorKind::timeout, waiting.side));
      }),
      side(its_side) {}

Started MuxFlow::Waiting::begin(Timers& timers, TimePoint deadline, Waiter& who) noexcept {
  WEIR_ASSERT(waiter == nullptr);
  waiter = &who;
  who.error = {};
  arm(timers, deadline);
  return Started::waiting;
}

void MuxFlow::Waiting::end(Error error) noexcept {
  if (waiter == nullptr) return;
  disarm();
  Waiter& told = *std::exchange(waiter, nullptr);
  told.error = error;
  told.call_back();
}

MuxFlow::Ending::Ending(MuxFlow& owner) noexcept
    : Deferred([](Deferred& self) noexcept { static_cast<Ending&>(self).flow.end_waits(); }),
      flow(owner) {}

MuxFlow::MuxFlow(MuxConnection& connection, std::uint32_t number, Side side)
    : connection_(connection),
      number_(number),
      side_(side),
      reader_(side),
      writer_(side),
      ending_(*this) {
  connection_.flows_.emplace(number, this);
}

MuxFlow::~MuxFlow() {
  WEIR_ASSERT(reader_.waiter == nullptr && writer_.waiter == nullptr);
  connection_.flows_.erase(number_);
}

std::string_view MuxFlow::take_head(Arena& arena) noexcept {
  if (!has_head()) return {};
  arena_ = &arena;
  const Head& head = heads_[heads_taken_++];
  is_end_read_ = head.is_last;
  return head.text;
}

Started MuxFlow::start_head_readable(TimePoint deadline, Waiter& waiter) noexcept {
  if (!has_head() && !is_reset()) {
    return reader_.begin(connection_.worker().timers(), deadline, waiter);
  }
  waiter.error = has_head() ? Error() : reset_;
  return Started::completed;
}

Result<void> MuxFlow::send_head(std::string_view text, bool is_last) {
  if (is_reset()) return fail(reset_);
  has_sent_end_ = is_last;
  connection_.send(FrameKind::head, is_last, number_, text);
  return {};
}

bool MuxFlow::is_writable() const noexcept {
  return (out_window_ != 0 && connection_.room() != 0) || is_reset();
}

BodyRead MuxFlow::try_read_body(std::span<char> into) noexcept {
  if (is_reset()) return BodyRead::failed(reset_);
  if (body_.empty()) return has_ended_ ? read_end() : BodyRead();
  // Now and then from its own storage, as the interface allows.
  const std::size_t count = std::min(into.size(), body_.size());
  std::string_view data(into.data(), count);
  if (connection_.worker().random().below(2) == 0) {
    given_ = body_.substr(0, count);
    data = given_;
  } else {
    body_.copy(into.data(), count);
  }
  body_.erase(0, count);
  if (has_ended_) return BodyRead::of(data, body_.empty() ? read_end().end : BodyEnd::more);
  // A window that grows is tried out by what the peer sends.
  constexpr std::size_t kWindowMax = 4096;
  const std::size_t more = in_window_ < kWindowMax ? count : 0;
  in_window_ += more;
  connection_.send(FrameKind::window, false, number_, std::to_string(count + more));
  return BodyRead::of(data, BodyEnd::more);
}

BodyRead MuxFlow::read_end() noexcept {
  if (!std::exchange(is_end_read_, true) && has_head()) {
    trailers_read_ = http::FieldList(arena_->allocate_array<http::Field>(16));
    // Those for which there is no room are dropped.
    static_cast<void>(add_lines(heads_[heads_taken_++].text, trailers_read_));
  }
  return BodyRead::of({}, BodyEnd::last);
}

Started MuxFlow::start_body_readable(TimePoint deadline, Waiter& waiter) noexcept {
  if (!is_readable()) return reader_.begin(connection_.worker().timers(), deadline, waiter);
  waiter.error = reset_;
  return Started::completed;
}

void MuxFlow::cancel_body_readable() noexcept {
  reader_.end(make_error(ErrorKind::canceled, side_));
}

BodyWrite MuxFlow::try_write_body(std::string_view data, BodyEnd end) noexcept {
  BodyWrite written;
  if (is_reset()) {
    written.status = BodyWrite::Status::failed;
    written.error = reset_;
    return written;
  }
  written.taken = std::min({data.size(), out_window_, connection_.room()});
  out_window_ -= written.taken;
  const bool is_all = written.taken == data.size();
  const bool is_last = is_all && end == BodyEnd::last && !has_sent_end_;
  if (!is_all) written.status = BodyWrite::Status::would_block;
  if (is_last) has_sent_end_ = true;
  const bool has_trailers = is_last && trailers_ != nullptr;
  if (written.taken != 0 || is_last) {
    connection_.send(FrameKind::data, is_last && !has_trailers, number_,
                     data.substr(0, written.taken));
  }
  if (has_trailers) connection_.send(FrameKind::head, true, number_, lines_of(*trailers_));
  return written;
}

Started MuxFlow::start_body_writable(TimePoint deadline, Waiter& waiter) noexcept {
  if (!is_writable()) return writer_.begin(connection_.worker().timers(), deadline, waiter);
  waiter.error = reset_;
  return Started::completed;
}

void MuxFlow::watch_hang_up(Waiter& waiter) noexcept {
  WEIR_ASSERT(watcher_ == nullptr);
  watcher_ = &waiter;
  if (is_reset() && !ending_.is_linked()) connection_.worker().defer(ending_);
}

void MuxFlow::reset(Error reason) noexcept {
  if (is_reset()) return;
  reset_ = reason;
  connection_.worker().defer(ending_);
}

// Whoever is called back may end the flow, so one a turn.
void MuxFlow::end_waits() noexcept {
  const bool has_more =
      (watcher_ != nullptr) + (reader_.waiter != nullptr) + (writer_.waiter != nullptr) > 1;
  if (has_more) connection_.worker().defer(ending_);
  if (watcher_ != nullptr) {
    Waiter& told = *std::exchange(watcher_, nullptr);
    told.error = reset_;
    told.call_back();
  } else if (reader_.waiter != nullptr) {
    reader_.end(reset_);
  } else {
    writer_.end(reset_);
  }
}

void MuxFlow::on_head(std::string text, bool is_last) {
  heads_.push_back({std::move(text), is_last});
  has_ended_ = has_ended_ || is_last;
  reader_.end({});
}

void MuxFlow::on_data(std::string_view data, bool is_last) {
  body_ += data;
  has_ended_ = has_ended_ || is_last;
  if (is_readable()) reader_.end({});
}

void MuxFlow::on_window(std::size_t bytes) {
  out_window_ += bytes;
  on_room();
}

void MuxFlow::on_room() {
  if (is_writable()) writer_.end({});
}

void MuxFlow::on_reset() {
  const bool is_client = side_ == Side::client;
  on_reset(make_error(is_client ? ErrorKind::client_reset : ErrorKind::server_reset, side_));
}

// What a server has answered to its end stays an answer, whatever becomes of the request.
void MuxFlow::on_reset(Error reason) noexcept {
  if (side_ == Side::server && has_ended_) return;
  reset(reason);
}

}  // namespace weir::sim
