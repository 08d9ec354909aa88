#include "sim/http_client.h"

#include <algorithm>
#include <array>

#include "sim/pattern.h"

namespace weir::sim {

using namespace std::chrono_literals;

HttpClient::HttpClient(Network& network, Ledger& ledger, HostId host, HostId weir,
                       std::uint16_t port)
    : network_(network),
      ledger_(ledger),
      host_(host),
      weir_(weir),
      port_(port),
      manner_(static_cast<ClientManner>(network.random().below(kClientManners))),
      requests_left_(1 + static_cast<int>(network.random().below(8))),
      moved_max_(network.random().below(chance(500) ? 300 : 30'000)) {}

HttpClient::~HttpClient() { *is_alive_ = false; }

void HttpClient::start() {
  began_ = network_.now();
  network_.trace().line(began_, "{} connects, manner {}", network_.name_of(host_),
                        static_cast<int>(manner_));
  end_ = &network_.connect(host_, network_.address_of(weir_, port_));
  end_->watch(this);
}

void HttpClient::note() noexcept {
  if (!std::exchange(is_noted_, true)) wake_in(Duration(network_.random().below(50'000)));
}

void HttpClient::wake_in(Duration delay) {
  network_.after(delay, [this, alive = is_alive_] {
    if (*alive) step();
  });
}

bool HttpClient::is_disturbed() const noexcept {
  return network_.disturbed_at(host_, weir_) >= began_;
}

void HttpClient::add_request() {
  constexpr std::array<std::string_view, 6> kMethods = {"GET",  "HEAD", "POST",
                                                        "POST", "PUT",  "DELETE"};
  Random& random = network_.random();
  const std::string_view method = kMethods[random.below(kMethods.size())];
  const bool has_body = method == "POST" || method == "PUT";
  const bool is_small = manner_ == ClientManner::dripping || chance(600);
  const bool is_empty = !has_body || chance(100);
  const std::size_t bytes = is_empty ? 0 : random.below(is_small ? 300 : 60'000);
  const RequestRecord& request = ledger_.begin(method, has_body);
  --requests_left_;
  awaited_.push_back(request.id);
  const std::string body = pattern(request.id * 2, 0, bytes);
  out_ += fmt::format("{} /r/{} HTTP/1.1\r\nHost: sim.test\r\nX-Id: {}\r\nX-Length: {}\r\n", method,
                      request.id, request.id, bytes);
  if (!has_body) {
    out_ += "\r\n";
  } else if (chance(500)) {
    out_ += fmt::format("Content-Length: {}\r\n\r\n{}", bytes, body);
  } else {
    out_ += "Transfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < bytes;) {
      const std::size_t size = 1 + random.below(static_cast<std::uint32_t>(bytes - at));
      out_ += fmt::format("{:x}\r\n{}\r\n", size, body.substr(at, size));
      at += size;
    }
    out_ += "0\r\n\r\n";
  }
  if (awaited_.size() > 1) bytes_behind_ += bytes;
}

// What may be asked for now.
void HttpClient::add_some_requests() {
  const std::size_t depth = manner_ == ClientManner::pipelining ? 4 : 1;
  while (requests_left_ > 0 && awaited_.size() < depth && !is_last_answer_) add_request();
  const bool is_last_sent = requests_left_ == 0 && out_.empty();
  if (manner_ == ClientManner::ending && is_last_sent && !std::exchange(has_said_end_, true)) {
    end_->shutdown_write();
  }
}

void HttpClient::step() {
  is_noted_ = false;
  if (is_over_ || end_->phase() == End::Phase::connecting) return;
  if (end_->phase() == End::Phase::failed) return on_connection_end();
  if (manner_ == ClientManner::aborting && moved_ >= moved_max_) return give_up();
  if (manner_ == ClientManner::stalling && moved_ >= moved_max_ &&
      !std::exchange(has_stalled_, true)) {
    is_noted_ = true;  // whatever happens meanwhile
    return wake_in(Duration(network_.random().below(20'000) * 1'000'000ll));
  }
  if (!receive_some()) return;
  add_some_requests();
  if (!send_some()) return;
  add_some_requests();
  if (awaited_.empty() && (requests_left_ == 0 || is_last_answer_)) {
    end_->close();
    is_over_ = true;
  }
}

bool HttpClient::send_some() {
  while (!out_.empty()) {
    std::size_t most = chance(200) ? 1 + network_.random().below(100) : out_.size();
    if (manner_ == ClientManner::dripping) most = 1;
    if (is_misbehaving() && moved_ < moved_max_) most = std::min(most, moved_max_ - moved_);
    const IoCount count =
        end_->send(std::span<const char>(out_).first(std::min(most, out_.size())));
    if (count.is_would_block()) return true;
    // What came before the reset is read first.
    if (count.is_failure()) {
      out_.clear();
      return true;
    }
    out_.erase(0, count.bytes());
    moved_ += count.bytes();
    if (manner_ == ClientManner::dripping) {
      if (!std::exchange(is_noted_, true)) wake_in(Duration(network_.random().below(2'000'000)));
      return true;
    }
    if (is_misbehaving() && moved_ == moved_max_) {
      note();
      return true;
    }
  }
  return true;
}

// False: it is over.
bool HttpClient::receive_some() {
  std::array<char, 16384> buffer;
  for (;;) {
    const bool is_slow = manner_ == ClientManner::slow;
    const std::size_t most = is_slow ? 1 + network_.random().below(2000) : buffer.size();
    const IoCount count = end_->receive(std::span(buffer).first(most));
    if (count.is_would_block()) return true;
    if (count.is_failure() || count.bytes() == 0) {
      if (!count.is_failure()) reader_.end_input();
      read_answers();
      on_connection_end();
      return false;
    }
    moved_ += count.bytes();
    reader_.feed({buffer.data(), count.bytes()});
    read_answers();
    if (is_slow) {
      if (!std::exchange(is_noted_, true)) wake_in(Duration(network_.random().below(20'000'000)));
      return true;
    }
  }
}

void HttpClient::read_answers() {
  for (;;) {
    const bool for_head = !awaited_.empty() && ledger_.of(awaited_.front()).method == "HEAD";
    switch (reader_.next(for_head)) {
      case MessageReader::Event::none:
        return;
      case MessageReader::Event::failed:
        return ledger_.violate("a client got bytes that are no HTTP");
      case MessageReader::Event::head:
        on_head();
        break;
      case MessageReader::Event::body:
        on_body();
        break;
      case MessageReader::Event::end:
        on_answer_end();
        break;
    }
  }
}

void HttpClient::on_head() {
  body_bytes_ = 0;
  error_page_.clear();
  const MessageHead& head = reader_.head();
  if (awaited_.empty()) {
    // A client that stalls between its requests is told so.
    if (head.status() != 408) ledger_.violate("an answer came that nobody asked for");
    return;
  }
  if (head.find("X-Id").empty() || head.status() < 200) return;
  if (head.number("X-Id") != awaited_.front()) {
    ledger_.violate(
        fmt::format("request {} got the answer to {}", awaited_.front(), head.find("X-Id")));
  }
}

void HttpClient::on_body() {
  const std::string_view body = reader_.body();
  if (reader_.head().find("X-Id").empty()) {
    error_page_ += body;
  } else if (!awaited_.empty() && !is_pattern(awaited_.front() * 2 + 1, body_bytes_, body)) {
    ledger_.violate(fmt::format("the answer to request {} came changed behind byte {}",
                                awaited_.front(), body_bytes_));
  }
  body_bytes_ += body.size();
}

void HttpClient::on_answer_end() {
  const MessageHead& head = reader_.head();
  if (head.status() < 200) return;
  if (head.find("Connection") == "close") is_last_answer_ = true;
  if (awaited_.empty()) return;
  for (const std::string& trailer : reader_.trailers()) {
    if (trailer == fmt::format("X-Id: {}", awaited_.front())) continue;
    ledger_.violate(fmt::format("request {} got the trailer '{}'", awaited_.front(), trailer));
  }
  RequestRecord& request = ledger_.of(awaited_.front());
  awaited_.pop_front();
  answered_last_ = request.id;
  if (awaited_.size() <= 1) bytes_behind_ = 0;
  Outcome outcome{.kind = Outcome::Kind::answered, .status = head.status()};
  if (head.find("X-Id").empty()) {
    outcome.kind = Outcome::Kind::refused;
    const std::size_t at = error_page_.find("reason: ");
    if (at != std::string::npos) outcome.reason = error_page_.substr(at + 8);
    while (outcome.reason.ends_with('\n')) outcome.reason.pop_back();
    outcome.is_explained = is_misbehaving() || is_disturbed();
  } else if (request.method != "HEAD" && body_bytes_ != head.number("X-Length") &&
             !request.is_response_damaged) {
    ledger_.violate(fmt::format("the answer to request {} has {} bytes instead of {}", request.id,
                                body_bytes_, head.number("X-Length")));
  }
  ledger_.finish(request, outcome);
}

void HttpClient::finish_all(Outcome::Kind kind) {
  // The reset for one broken answer takes with it what is unread of those before. One that lacks
  // nothing but its end looks whole.
  const auto is_damaged = [this](std::uint64_t id) { return ledger_.of(id).is_response_damaged; };
  const bool is_any_damaged = std::ranges::any_of(awaited_, is_damaged) ||
                              (answered_last_ != 0 && is_damaged(answered_last_));
  // Of what comes behind the last answer Weir reads so much, lest a reset destroys that answer.
  constexpr std::size_t kLingeringBytesMax = 64 * 1024;
  const bool is_too_much = bytes_behind_ > kLingeringBytesMax;
  bool is_first = true;
  for (const std::uint64_t id : awaited_) {
    Outcome outcome{.kind = kind};
    outcome.has_begun = is_first && reader_.has_head();
    // Behind the last answer of a connection, requests are not looked at any more.
    RequestRecord& request = ledger_.of(id);
    const bool is_unwanted = !ledger_.was_served(port_, began_) && request.seen == 0;
    outcome.is_explained = is_last_answer_ || is_any_damaged || is_too_much || is_unwanted ||
                           is_disturbed() || !is_first;
    is_first = false;
    ledger_.finish(request, outcome);
  }
  awaited_.clear();
}

void HttpClient::on_connection_end() {
  network_.trace().line(network_.now(), "{} sees its connection end, errno {}",
                        network_.name_of(host_), end_->error());
  const bool may_fail = is_disturbed() || ledger_.is_stopping() || ledger_.is_scarce() ||
                        !ledger_.was_served(port_, began_);
  if (end_->phase() == End::Phase::failed && !may_fail) {
    ledger_.violate("a client could not connect for no reason");
  }
  finish_all(is_misbehaving() ? Outcome::Kind::abandoned : Outcome::Kind::broken);
  end_->close();
  is_over_ = true;
}

void HttpClient::give_up() {
  finish_all(Outcome::Kind::abandoned);
  switch (network_.random().below(3)) {
    case 0:
      end_->close();
      break;
    case 1:
      end_->reset();
      break;
    default:
      end_->vanish();
      break;
  }
  is_over_ = true;
}

}  // namespace weir::sim
