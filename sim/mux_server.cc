#include "sim/mux_server.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "sim/pattern.h"

namespace weir::sim {
namespace {

std::uint64_t number_behind(std::string_view name, const std::string& text) {
  const std::size_t at = text.find(name);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + name.size(), nullptr, 10);
}

}  // namespace

void MuxServer::accept(End& end) {
  sessions_.push_back(std::make_unique<Session>(*this, end));
  end.watch(sessions_.back().get());
}

void MuxServer::serve_all() {
  std::erase_if(sessions_, [this](const auto& session) { return !serve(*session); });
}

void MuxServer::forget_all() {
  for (const auto& session : sessions_) damage_all(*session);
  sessions_.clear();
}

// What has been answered may still be on its way, and be lost with the connection.
void MuxServer::damage_all(const Session& session) {
  for (const auto& [number, stream] : session.streams) ledger_.damage(stream.id, index_, false);
  for (const std::uint64_t id : session.answered) {
    if (!ledger_.of(id).is_over) ledger_.damage(id, index_, true);
  }
}

bool MuxServer::serve(Session& session) {
  if (!receive(session)) return false;
  for (auto& [number, stream] : session.streams) {
    if (stream.is_due && network_.now() >= stream.due_at) answer(session, number, stream);
  }
  if (session.is_to_be_cut) {
    cut(session);
    return false;
  }
  send_pieces(session);
  std::erase_if(session.streams, [](const auto& entry) { return entry.second.is_over; });
  return flush(session) && rest(session);
}

bool MuxServer::receive(Session& session) {
  std::array<char, 8192> buffer;
  for (;;) {
    const std::size_t most = chance(200) ? 1 + random().below(64) : buffer.size();
    const IoCount count = session.end->receive(std::span(buffer).first(most));
    if (count.is_would_block()) return true;
    if (count.is_failure() || count.bytes() == 0) {
      session.end->close();
      return false;
    }
    session.in.append(buffer.data(), count.bytes());
    for (Frame frame; take_frame(session.in, frame);) on_frame(session, frame);
  }
}

void MuxServer::on_frame(Session& session, const Frame& frame) {
  const auto found = session.streams.find(frame.stream);
  if (found == session.streams.end()) {
    if (frame.kind == FrameKind::head) on_head(session, frame);
    return;
  }
  Stream& stream = found->second;
  switch (frame.kind) {
    case FrameKind::head:
      return ledger_.violate(fmt::format("request {} came with two heads", stream.id));
    case FrameKind::data:
      return on_data(session, frame, stream);
    case FrameKind::reset:
      session.streams.erase(found);
      return;
    case FrameKind::window:
      stream.window += std::strtoull(frame.payload.c_str(), nullptr, 10);
      return;
  }
}

void MuxServer::on_head(Session& session, const Frame& frame) {
  const std::uint64_t id = number_behind("X-Id:", frame.payload);
  network_.trace().line(network_.now(), "{} reads {}", network_.name_of(host()),
                        frame.payload.substr(0, frame.payload.find('\n')));
  ledger_.see(id, index_);
  if (!ledger_.has(id)) return;
  Stream& stream = session.streams[frame.stream];
  if (session.streams.size() > streams_max_) {
    ledger_.violate(fmt::format("server {} got {} streams on a connection instead of {}", index_,
                                session.streams.size(), streams_max_));
  }
  stream.id = id;
  stream.method = frame.payload.substr(0, frame.payload.find(' '));
  stream.body_length = number_behind("X-Length:", frame.payload);
  stream.is_stingy = chance(50);
  if (chance(habits_.misbehave)) stream.manner = static_cast<Manner>(2 + random().below(4));
  if (stream.manner == Manner::answer && chance(50)) stream.manner = Manner::answer_early;
  const bool is_bad = stream.manner > Manner::answer_early;
  if (is_bad) ledger_.damage(id, index_, stream.manner == Manner::reset_body);
  if (!is_bad && chance(30)) {
    append_frame(session.out, FrameKind::head, false, frame.stream, "103 0\nLink:</style.css>\n");
    session.answered.push_back(id);
  }
  if (frame.is_last) return on_request_end(session, stream);
  if (stream.manner == Manner::answer_early) plan_answer(stream);
}

void MuxServer::on_data(Session& session, const Frame& frame, Stream& stream) {
  if (!is_pattern(stream.id * 2, stream.body_bytes, frame.payload)) {
    ledger_.violate(fmt::format("the body of request {} came to server {} changed behind byte {}",
                                stream.id, index_, stream.body_bytes));
  }
  stream.body_bytes += frame.payload.size();
  if (frame.is_last) return on_request_end(session, stream);
  const bool is_stingy = stream.is_stingy && stream.body_bytes < 90;
  const std::size_t granted = is_stingy ? 1 : frame.payload.size() + random().below(2000);
  append_window(session.out, frame.stream, granted);
}

void MuxServer::on_request_end(Session&, Stream& stream) {
  stream.has_request = true;
  if (stream.body_bytes != stream.body_length) {
    ledger_.violate(fmt::format("request {} came to server {} with {} bytes instead of {}",
                                stream.id, index_, stream.body_bytes, stream.body_length));
  }
  if (!stream.is_due && !stream.is_answering) plan_answer(stream);
}

void MuxServer::plan_answer(Stream& stream) {
  stream.is_due = true;
  stream.due_at = network_.now();
  if (!chance(habits_.slow)) return;
  stream.due_at += Duration(random().below(1000) * (habits_.pause_max.count() / 1000));
  wake_at(stream.due_at);
}

void MuxServer::answer(Session& session, std::uint32_t number, Stream& stream) {
  stream.is_due = false;
  switch (stream.manner) {
    case Manner::silent:
      return;
    case Manner::reset_early:
      append_frame(session.out, FrameKind::reset, true, number, {});
      stream.is_over = true;
      return;
    case Manner::cut:
      session.is_to_be_cut = true;
      return;
    case Manner::answer:
    case Manner::answer_early:
    case Manner::reset_body:
      break;
  }
  stream.is_answering = true;
  session.answered.push_back(stream.id);
  const std::size_t bytes = chance(600) ? random().below(300) : random().below(60'000);
  const bool is_head = stream.method == "HEAD";
  const bool has_body = !is_head && (bytes != 0 || stream.manner == Manner::reset_body);
  const bool ends = !has_body && chance(500);
  append_frame(session.out, FrameKind::head, is_head || ends, number,
               fmt::format("200 {}\nX-Id:{}\nX-Length:{}\nX-Server:{}\n",
                           chance(500) ? std::to_string(bytes) : "-", stream.id, bytes, index_));
  stream.is_over = is_head || ends;
  stream.out = pattern(stream.id * 2 + 1, 0, is_head ? 0 : bytes);
  if (chance(300)) stream.trailers = fmt::format("X-Id:{}\n", stream.id);
}

// By turns, so that they mix, and go on where there was no room left.
void MuxServer::send_pieces(Session& session) {
  constexpr std::size_t kOutMax = 32 * 1024;
  auto next = session.streams.lower_bound(session.next_sent);
  for (std::size_t i = 0; i < session.streams.size(); ++i) {
    if (session.out.size() >= kOutMax) return;
    if (next == session.streams.end()) next = session.streams.begin();
    auto& [number, stream] = *next++;
    session.next_sent = number + 1;
    if (stream.is_answering && !stream.is_over) send_piece(session, number, stream);
  }
}

void MuxServer::send_piece(Session& session, std::uint32_t number, Stream& stream) {
  const std::size_t piece = 1 + random().below(1000);
  const std::size_t bytes = std::min({stream.out.size(), stream.window, piece});
  if (bytes == 0 && !stream.out.empty()) return;
  const std::string data = stream.out.substr(0, bytes);
  stream.out.erase(0, bytes);
  stream.window -= bytes;
  if (stream.manner == Manner::reset_body && (stream.out.empty() || chance(300))) {
    append_frame(session.out, FrameKind::reset, true, number, {});
    stream.is_over = true;
    return;
  }
  stream.is_over = stream.out.empty();
  const bool has_trailers = stream.is_over && !stream.trailers.empty();
  append_frame(session.out, FrameKind::data, stream.is_over && !has_trailers, number, data);
  if (has_trailers) append_frame(session.out, FrameKind::head, true, number, stream.trailers);
  if (!stream.is_over && stream.window != 0) note();
}

bool MuxServer::flush(Session& session) {
  while (!session.out.empty()) {
    const std::size_t most = chance(200) ? 1 + random().below(100) : session.out.size();
    const IoCount count = session.end->send(
        std::span<const char>(session.out).first(std::min(most, session.out.size())));
    if (count.is_would_block()) return true;
    if (count.is_failure()) {
      session.end->close();
      return false;
    }
    session.out.erase(0, count.bytes());
    note();
  }
  return true;
}

// Now and then it ends a connection at rest, without a word.
bool MuxServer::rest(Session& session) {
  const bool rests = session.streams.empty() && session.out.empty() && !session.answered.empty();
  if (!rests || session.end->is_readable() || !chance(habits_.idle_close)) return true;
  cut(session);
  return false;
}

void MuxServer::cut(Session& session) {
  network_.trace().line(network_.now(), "{} cuts a connection with {} streams",
                        network_.name_of(host()), session.streams.size());
  // Requests may be on their way to it.
  group_.note_idle_close(index_);
  damage_all(session);
  if (chance(500)) {
    session.end->close();
  } else {
    session.end->reset();
  }
}

}  // namespace weir::sim
