#include "sim/mux_client.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "sim/pattern.h"

namespace weir::sim {

MuxClient::MuxClient(Ledger& ledger, HostId host, HostId weir, std::uint16_t port)
    : network_(ledger.network()),
      ledger_(ledger),
      host_(host),
      weir_(weir),
      port_(port),
      beside_max_(1 + network_.random().below(100)),
      requests_left_(1 + static_cast<int>(network_.random().below(150))) {}

void MuxClient::start() {
  began_ = network_.now();
  end_ = &network_.connect(host_, network_.address_of(weir_, port_));
  end_->watch(this);
}

void MuxClient::note(Duration delay) noexcept {
  if (std::exchange(is_noted_, true)) return;
  network_.after(delay, [this, alive = is_alive_] {
    if (*alive) step();
  });
}

void MuxClient::step() {
  is_noted_ = false;
  if (is_over_ || end_->phase() == End::Phase::connecting) return;
  if (end_->phase() == End::Phase::failed || !receive()) return end_connection();
  open_streams();
  send_bodies();
  if (!flush()) return end_connection();
  if (requests_left_ == 0 && streams_.empty() && out_.empty()) {
    end_->close();
    is_over_ = true;
  }
}

void MuxClient::open_streams() {
  while (requests_left_ > 0 && streams_.size() < beside_max_) open_stream();
}

void MuxClient::open_stream() {
  constexpr std::array<std::string_view, 5> kMethods = {"GET", "HEAD", "POST", "PUT", "DELETE"};
  Random& random = network_.random();
  --requests_left_;
  const std::uint32_t number = next_number_++;
  Stream& stream = streams_[number];
  stream.method = kMethods[random.below(kMethods.size())];
  const bool has_body = stream.method == "POST" || stream.method == "PUT";
  const std::size_t bytes = has_body ? 1 + random.below(chance(900) ? 500 : 20'000) : 0;
  stream.id = ledger_.begin(stream.method, has_body).id;
  stream.body = pattern(stream.id * 2, 0, bytes);
  stream.has_ended = bytes == 0;
  stream.is_stingy = chance(50);
  stream.resets = chance(50);
  const std::string length = chance(500) ? std::to_string(bytes) : "-";
  append_frame(out_, FrameKind::head, stream.has_ended, number,
               fmt::format("{} /r/{} {}\nX-Id:{}\nX-Length:{}\n", stream.method, stream.id,
                           has_body ? length : "0", stream.id, bytes));
}

// A piece of each body that has room, so that they mix.
void MuxClient::send_bodies() {
  for (auto& [number, stream] : streams_) {
    if (stream.has_ended || out_.size() > 32 * 1024) continue;
    const std::size_t piece = 1 + network_.random().below(1000);
    const std::size_t bytes = std::min({stream.body.size(), stream.window, piece});
    if (bytes == 0) continue;
    stream.has_ended = bytes == stream.body.size();
    append_frame(out_, FrameKind::data, stream.has_ended, number, stream.body.substr(0, bytes));
    stream.body.erase(0, bytes);
    stream.window -= bytes;
    if (!stream.has_ended && stream.window != 0) note(Duration(network_.random().below(1'000'000)));
  }
}

bool MuxClient::flush() {
  while (!out_.empty()) {
    const IoCount count = end_->send(out_);
    if (count.is_would_block()) return true;
    if (count.is_failure()) return false;
    out_.erase(0, count.bytes());
  }
  return true;
}

bool MuxClient::receive() {
  std::array<char, 16384> buffer;
  for (;;) {
    const IoCount count = end_->receive(buffer);
    if (count.is_would_block()) return true;
    if (count.is_failure() || count.bytes() == 0) return false;
    in_.append(buffer.data(), count.bytes());
    for (Frame frame; take_frame(in_, frame);) on_frame(frame);
  }
}

void MuxClient::on_frame(const Frame& frame) {
  const auto found = streams_.find(frame.stream);
  if (found == streams_.end()) return;  // given up
  Stream& stream = found->second;
  switch (frame.kind) {
    case FrameKind::head:
      on_head(stream, frame.payload);
      break;
    case FrameKind::data:
      on_data(stream, frame.stream, frame.payload);
      break;
    case FrameKind::reset:
      return on_end(frame.stream, Outcome::Kind::broken);
    case FrameKind::window:
      stream.window += std::strtoull(frame.payload.c_str(), nullptr, 10);
      break;
  }
  if (frame.is_last) {
    on_end(frame.stream, stream.is_of_server ? Outcome::Kind::answered : Outcome::Kind::refused);
  } else if (stream.resets && chance(300)) {
    append_frame(out_, FrameKind::reset, true, frame.stream, {});
    on_end(frame.stream, Outcome::Kind::abandoned);
  }
}

void MuxClient::on_head(Stream& stream, const std::string& text) {
  const bool is_trailers = stream.status >= 200 && text.starts_with("X-Id:");
  const int status = is_trailers ? stream.status : std::atoi(text.c_str());
  if (status < 200) return;
  const auto number_of = [&text](std::string_view name) {
    const std::size_t at = text.find(name);
    return at == std::string::npos ? 0
                                   : std::strtoull(text.c_str() + at + name.size(), nullptr, 10);
  };
  if (is_trailers) {
    if (number_of("X-Id:") == stream.id) return;
    return ledger_.violate(fmt::format("request {} got the trailers of another", stream.id));
  }
  if (stream.status != 0) ledger_.violate(fmt::format("request {} got two answers", stream.id));
  stream.status = status;
  stream.answer_id = number_of("X-Id:");
  stream.answer_length = number_of("X-Length:");
  stream.is_of_server = stream.answer_id != 0;
  if (stream.is_of_server && stream.answer_id != stream.id) {
    ledger_.violate(fmt::format("request {} got the answer to {}", stream.id, stream.answer_id));
  }
}

void MuxClient::on_data(Stream& stream, std::uint32_t number, const std::string& data) {
  if (!stream.is_of_server) {
    stream.error_page += data;
  } else if (!is_pattern(stream.id * 2 + 1, stream.answer_bytes, data)) {
    ledger_.violate(fmt::format("the answer to request {} came changed behind byte {}", stream.id,
                                stream.answer_bytes));
  }
  stream.answer_bytes += data.size();
  // A stingy one lets a single byte follow, until that would take too long.
  const bool is_stingy = stream.is_stingy && stream.answer_bytes < 90;
  const std::size_t granted = is_stingy ? 1 : data.size() + network_.random().below(2000);
  if (data.size() != 0) append_window(out_, number, granted);
}

void MuxClient::on_end(std::uint32_t number, Outcome::Kind kind) {
  const auto found = streams_.find(number);
  const Stream& stream = found->second;
  Outcome outcome{.kind = kind, .status = stream.status};
  outcome.has_begun = stream.status != 0;
  // Weir waits for its own pages to go out as a whole, however many streams share the connection.
  const bool is_of_weir = outcome.has_begun && !stream.is_of_server;
  outcome.is_explained = is_disturbed() || is_of_weir;
  const std::size_t at = stream.error_page.find("reason: ");
  if (at != std::string::npos) {
    outcome.reason = stream.error_page.substr(at + 8, stream.error_page.size() - at - 9);
  }
  RequestRecord& request = ledger_.of(stream.id);
  const bool is_short = stream.answer_bytes != stream.answer_length && stream.method != "HEAD";
  if (kind == Outcome::Kind::answered && is_short && !request.is_response_damaged) {
    ledger_.violate(fmt::format("the answer to request {} has {} bytes instead of {}", stream.id,
                                stream.answer_bytes, stream.answer_length));
  }
  ledger_.finish(request, outcome);
  streams_.erase(found);
}

void MuxClient::end_connection() {
  network_.trace().line(network_.now(), "{} sees its connection end, errno {}",
                        network_.name_of(host_), end_->error());
  while (!streams_.empty()) on_end(streams_.begin()->first, Outcome::Kind::broken);
  end_->close();
  is_over_ = true;
}

}  // namespace weir::sim
