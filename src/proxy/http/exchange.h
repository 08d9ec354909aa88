#pragma once
// Exchange: one request with its response; it makes one or more attempts. Lives in the frame of the
// task that serves it; what it refers to lives at least as long.

#include <array>

#include "base/arena.h"
#include "net/http/http_stream.h"
#include "proxy/http/replay_body.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {

// The fate of one attempt. Always written: the log and an error's explanation come from it.
struct AttemptRecord {
  LocalRef<backend::ServerPool> server;
  ErrorKind error = ErrorKind::none;
  std::uint32_t start_us = 0;  // after the exchange began
  std::uint32_t end_us = 0;
};
static_assert(sizeof(AttemptRecord) <= 24);

class AttemptLog {
 public:
  static constexpr std::size_t kAttemptsMax = backend::kAttemptsMax;

  // No more than kAttemptsMax.
  AttemptRecord& add() noexcept {
    WEIR_ASSERT(count_ < kAttemptsMax);
    return records_[count_++];
  }
  std::size_t size() const noexcept { return count_; }
  std::span<const AttemptRecord> records() const noexcept WEIR_LIFETIMEBOUND {
    return {records_.data(), count_};
  }

 private:
  std::array<AttemptRecord, kAttemptsMax> records_;
  std::size_t count_ = 0;
};

// How far the last attempt came; what may be done after a failure depends on it.
enum class Progress : std::uint8_t { connecting, sent, response_begun, answered };

struct Exchange {
  Exchange(ClientConnection& client_connection, net::ClientSideStream& client_stream) noexcept;

  ClientConnection& connection;
  net::ClientSideStream& client;
  ProxyWorker& proxy;
  LocalRef<ListenerUse> listener_use;
  const Listener& listener;
  Arena arena;
  http::RequestHead request;
  http::ResponseHead response;
  LocalRef<backend::WorkerBackend> backend;  // once routed, until the response's body
  AttemptLog attempts;
  Progress progress = Progress::connecting;
  // close: no further request is wanted on the connection.
  http::Persistence persistence = http::Persistence::keep_alive;
  ReplayBody body;
  Error error;  // why it failed; kind none: it did not
  TimePoint began;
  Duration connect_time = stats::kNotReached;
  Duration header_time = stats::kNotReached;
  stats::Reused reused = stats::Reused::no;
  std::uint16_t status = 0;     // sent to the client; 0: none
  bool offers_upgrade = false;  // the server is asked to switch protocols
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
};

// The server of the last attempt, if there was one.
inline const backend::ServerPool* last_server(const Exchange& x) noexcept {
  return x.attempts.size() == 0 ? nullptr : x.attempts.records().back().server.get();
}

// Whether the request may be sent once more when nobody knows whether it was carried out.
inline bool is_replayable(const Exchange& x) noexcept {
  return http::is_idempotent(x.request.method) && x.body.is_whole();
}

// Parses done, head in place: routes, makes attempts, answers. Afterwards the client's response is
// complete, or its stream is to be closed. proxy/http/serve_exchange.cc.
Task<void> serve_exchange(Exchange& x);

// One server, whose response head is due then, but for the time that the request takes. An error
// before the response head reached the client leaves the client untouched: another attempt, or an
// error page, may follow. proxy/http/attempt.cc.
Task<Result<void>> attempt(Exchange& x, const backend::ServerLease& lease, TimePoint due);

// What happened, for a person: the rule that was broken, if it is known.
std::string_view sentence_of(const Error& error) noexcept;

// Answers with the status and sentence of x.error, if it has any. proxy/http/error_page.cc.
Task<void> write_error_page(Exchange& x);

// The keep-alive loop of one HTTP/1 connection. proxy/http/serve_http_connection.cc.
Task<void> serve_http_connection(ClientConnection& connection);

}  // namespace weir::proxy
