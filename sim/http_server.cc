#include "sim/http_server.h"

#include <algorithm>
#include <array>

#include "sim/pattern.h"

namespace weir::sim {

using namespace std::chrono_literals;

void HttpServer::forget_all() {
  // What has been answered may still be on its way, and be cut; an answer that lasts until the
  // close even looks whole when the kernel says FIN.
  for (const auto& session : sessions_) {
    if (session->has_spoken) ledger_.damage(session->id, index_, true);
  }
  sessions_.clear();
}

void HttpServer::serve_all() {
  std::erase_if(sessions_, [this](const auto& session) { return !serve(*session); });
}

void HttpServer::accept(End& end) {
  sessions_.push_back(std::make_unique<Session>(*this, end));
  end.watch(sessions_.back().get());
}

bool HttpServer::serve(Session& session) {
  if (session.is_mute) {
    // Holds the connection until Weir has had enough of it.
    if (!session.end->is_hung_up() && session.end->error() == 0) {
      std::array<char, 4096> ignored;
      const IoCount count = session.end->receive(ignored);
      if (count.is_would_block() || (!count.is_failure() && count.bytes() != 0)) return true;
    }
    session.end->close();
    return false;
  }
  if (network_.now() < session.not_before) return true;
  if (session.not_before != TimePoint{}) {
    session.not_before = {};
    if (!session.is_answered) write_answer(session);
  }
  return write(session) && read(session);
}

bool HttpServer::read(Session& session) {
  std::array<char, 8192> buffer;
  for (;;) {
    // One request after the other: the next is read when the last is answered.
    while (session.is_answered || session.reader.has_head()) {
      const MessageReader::Event event = session.reader.next();
      if (event == MessageReader::Event::none) break;
      if (event == MessageReader::Event::failed) {
        ledger_.violate(fmt::format("server {} got bytes that are no HTTP", index_));
        session.end->reset();
        return false;
      }
      if (event == MessageReader::Event::head && !on_head(session)) return false;
      if (event == MessageReader::Event::body) on_body(session);
      if (event == MessageReader::Event::end) on_request_end(session);
    }
    if (!write(session)) return false;
    if (!session.is_answered && !session.reader.has_head()) return true;
    const std::size_t most = chance(200) ? 1 + random().below(64) : buffer.size();
    const IoCount count = session.end->receive(std::span(buffer).first(most));
    if (count.is_would_block()) break;
    if (count.is_failure() || count.bytes() == 0) {
      session.end->close();
      return false;
    }
    session.reader.feed({buffer.data(), count.bytes()});
  }
  return true;
}

HttpServer::Manner HttpServer::draw_manner() {
  if (!chance(habits_.misbehave)) return Manner::answer;
  return static_cast<Manner>(1 + random().below(7));
}

// False: the session is over.
bool HttpServer::on_head(Session& session) {
  const MessageHead& head = session.reader.head();
  session.id = head.number("X-Id");
  session.method = head.first_line.substr(0, head.first_line.find(' '));
  session.body_bytes = 0;
  session.is_answered = false;
  session.has_spoken = session.closes_after = session.resets_after = false;
  session.manner = draw_manner();
  network_.trace().line(network_.now(), "{} reads {}, manner {}", network_.name_of(host()),
                        head.first_line, static_cast<int>(session.manner));
  ledger_.see(session.id, index_);
  if (!ledger_.has(session.id)) {
    session.end->reset();
    return false;
  }
  if (session.manner == Manner::answer) {
    if (!head.find("Expect").empty()) session.out += "HTTP/1.1 100 Continue\r\n\r\n";
    if (chance(30)) session.out += "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
    session.has_spoken = !session.out.empty();
    return true;
  }
  const bool has_response_begun =
      session.manner == Manner::cut_head || session.manner == Manner::garbage ||
      session.manner == Manner::cut_body || session.manner == Manner::reset_body;
  ledger_.damage(session.id, index_, has_response_begun);
  return true;
}

void HttpServer::on_body(Session& session) {
  const std::string_view body = session.reader.body();
  if (!is_pattern(session.id * 2, session.body_bytes, body)) {
    ledger_.violate(fmt::format("the body of request {} came to server {} changed behind byte {}",
                                session.id, index_, session.body_bytes));
  }
  session.body_bytes += body.size();
}

void HttpServer::on_request_end(Session& session) {
  if (session.body_bytes != session.reader.head().number("X-Length")) {
    ledger_.violate(fmt::format("request {} came to server {} with {} bytes instead of {}",
                                session.id, index_, session.body_bytes,
                                session.reader.head().number("X-Length")));
  }
  answer(session);
}

void HttpServer::answer(Session& session) {
  if (!chance(habits_.slow)) return write_answer(session);
  session.not_before =
      network_.now() + Duration(random().below(1000) * (habits_.pause_max.count() / 1000));
  wake_at(session.not_before);
}

std::string HttpServer::head_of(const Session& session, std::size_t bytes,
                                std::string_view framing) {
  return fmt::format("HTTP/1.1 200 OK\r\nX-Id: {}\r\nX-Length: {}\r\nX-Server: {}\r\n{}{}\r\n",
                     session.id, bytes, index_, framing,
                     session.closes_after && chance(500) ? "Connection: close\r\n" : "");
}

void HttpServer::write_answer(Session& session) {
  const bool is_small = chance(600);
  const std::size_t bytes = is_small ? random().below(300) : random().below(60'000);
  session.is_answered = session.has_spoken = true;
  session.closes_after = chance(50);
  switch (session.manner) {
    case Manner::answer:
      break;
    case Manner::close_early:
      session.closes_after = true;
      return;
    case Manner::reset_early:
      session.resets_after = true;
      return;
    case Manner::silent:
      session.is_mute = true;
      return;
    case Manner::garbage:
      session.out += "I am a teapot\r\n\r\n";
      session.closes_after = true;
      return;
    case Manner::cut_head:
      session.out += "HTTP/1.1 200 OK\r\nX-Id: ";
      session.closes_after = true;
      return;
    case Manner::cut_body:
    case Manner::reset_body:
      session.out += head_of(session, bytes, fmt::format("Content-Length: {}\r\n", bytes + 1));
      session.out +=
          pattern(session.id * 2 + 1, 0, random().below(static_cast<std::uint32_t>(bytes) + 1));
      session.closes_after = session.manner == Manner::cut_body;
      session.resets_after = !session.closes_after;
      return;
  }
  const std::string body = pattern(session.id * 2 + 1, 0, bytes);
  const bool is_head = session.method == "HEAD";
  if (chance(500)) {
    session.out += head_of(session, bytes, fmt::format("Content-Length: {}\r\n", bytes));
    if (!is_head) session.out += body;
  } else if (chance(800)) {
    session.out += head_of(session, bytes, "Transfer-Encoding: chunked\r\n");
    for (std::size_t at = 0; at < bytes && !is_head;) {
      const std::size_t size = 1 + random().below(static_cast<std::uint32_t>(bytes - at));
      session.out += fmt::format("{:x}\r\n{}\r\n", size, body.substr(at, size));
      at += size;
    }
    if (!is_head) session.out += "0\r\n";
    if (!is_head && chance(300)) session.out += fmt::format("X-Id: {}\r\n", session.id);
    if (!is_head) session.out += "\r\n";
  } else {
    session.closes_after = true;
    session.out += head_of(session, bytes, "");
    if (!is_head) session.out += body;
  }
}

bool HttpServer::write(Session& session) {
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
  }
  if (!session.is_answered) return true;
  if (session.resets_after) session.end->reset();
  if (!session.resets_after && session.closes_after) {
    group_.note_idle_close(index_);
    session.end->close();
  }
  if (session.resets_after || session.closes_after) return false;
  const bool rests = session.reader.is_at_rest() && session.id != 0;
  if (!rests || session.end->is_readable() || !chance(habits_.idle_close)) return true;
  network_.trace().line(network_.now(), "{} closes at rest after {}", network_.name_of(host()),
                        session.id);
  group_.note_idle_close(index_);
  session.end->close();
  return false;
}

}  // namespace weir::sim
