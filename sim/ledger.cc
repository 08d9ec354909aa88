#include "sim/ledger.h"

namespace weir::sim {

void Ledger::violate(std::string text) {
  if (!violation_.empty()) return;
  violation_ = std::move(text);
  network_.trace().line(network_.now(), "VIOLATION {}", violation_);
}

RequestRecord& Ledger::begin(std::string_view method, bool has_body) {
  RequestRecord& request = requests_.emplace_back();
  request.id = requests_.size();
  request.method = method;
  request.is_idempotent = method != "POST" && method != "PATCH";
  request.replayable = request.is_idempotent && !has_body ? Replayable::yes : Replayable::no;
  request.began = network_.now();
  ++open_;
  network_.trace().line(network_.now(), "request {} {} begins", request.id, method);
  return request;
}

RequestRecord& Ledger::of(std::uint64_t id) noexcept {
  WEIR_ASSERT(has(id));
  return requests_[id - 1];
}

void Ledger::see(std::uint64_t id, std::size_t server) {
  if (!has(id))
    return violate(fmt::format("server {} got request {}, that nobody sent", server, id));
  RequestRecord& request = of(id);
  ++request.seen;
  if (request.seen > 1 && !request.is_idempotent) {
    violate(fmt::format("{} {} was sent twice", request.method, id));
  }
  if (request.seen > static_cast<int>(web_.attempts_most())) {
    violate(fmt::format("{} {} was sent {} times", request.method, id, request.seen));
  }
}

void Ledger::damage(std::uint64_t id, std::size_t server, bool has_response_begun) {
  RequestRecord& request = of(id);
  request.damaged_by |= std::uint64_t{1} << server;
  if (has_response_begun) request.is_response_damaged = true;
}

// Whether the servers explain that the request got no answer of any of them.
bool Ledger::is_failure_explained(const RequestRecord& request, const Outcome& outcome) const {
  const std::string_view reason = outcome.reason;
  if (is_cutting_ || is_scarce_) return true;
  const Prospects met = prospects_of(request);
  if (met.was_cut) return true;
  if (reason == "no_server") return met.was_empty;
  // Whoever comes while others wait for a server that is gone waits behind them.
  if (reason.starts_with("queue_")) return met.has_limits || met.was_empty;
  // A HEAD is not told more than that.
  const bool has_no_page = reason.empty() && outcome.status == 503;
  if (has_no_page && (met.has_limits || met.was_empty)) return true;
  const std::size_t idle_closes = web_.count_idle_closes(request.began);
  // Each bad server and each connection that died in the pool may have cost an attempt; while the
  // good ones are full, the bad ones are tried again.
  if (met.bad + idle_closes >= met.attempts) return true;
  if (!met.is_covered && met.bad + idle_closes != 0) return true;
  // A server that could have answered was there. Only what must not be sent again may fail.
  const bool was_unsent = reason.starts_with("connect_");
  if (was_unsent) return false;
  if (request.replayable == Replayable::yes) return request.is_response_damaged;
  return met.bad + idle_closes != 0;
}

void Ledger::judge_refusal(const RequestRecord& request, const Outcome& outcome) {
  if (outcome.is_explained || is_failure_explained(request, outcome)) return;
  violate(fmt::format("{} {} was refused with {} {}, though only {} servers could have failed it",
                      request.method, request.id, outcome.status, outcome.reason,
                      prospects_of(request).bad));
}

void Ledger::judge_break(const RequestRecord& request, const Outcome& outcome) {
  if (outcome.is_explained || is_cutting_ || is_scarce_) return;
  // Sent into the end of a connection at rest; what a server has is carried to its end.
  if (is_stopping_ && request.seen == 0) return;
  // The reset that says so may overtake what had come of the answer.
  if (request.is_response_damaged) return;
  const Prospects met = prospects_of(request);
  if (met.was_cut || (request.seen != 0 && met.bad != 0)) return;
  violate(fmt::format("the connection of {} {} ended {} for no reason", request.method, request.id,
                      outcome.has_begun ? "within its answer" : "without an answer"));
}

void Ledger::finish(RequestRecord& request, const Outcome& outcome) {
  network_.trace().line(network_.now(), "request {} {} over: kind {} status {} {}", request.id,
                        request.method, static_cast<int>(outcome.kind), outcome.status,
                        outcome.reason);
  if (request.is_over) return violate(fmt::format("request {} ended twice", request.id));
  request.is_over = true;
  --open_;
  switch (outcome.kind) {
    case Outcome::Kind::answered:
      ++answered_;
      if (request.seen == 0) violate(fmt::format("request {} was answered unseen", request.id));
      break;
    case Outcome::Kind::refused:
      ++refused_;
      judge_refusal(request, outcome);
      break;
    case Outcome::Kind::broken:
      ++broken_;
      judge_break(request, outcome);
      break;
    case Outcome::Kind::abandoned:
      break;
  }
}

}  // namespace weir::sim
