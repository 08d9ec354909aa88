#pragma once
// Exchange: one request with its response; it makes one or more attempts. Lives in the frame of the
// task that serves it; what it refers to lives at least as long.

#include "base/arena.h"
#include "net/http/http_stream.h"
#include "proxy/attempt_log.h"
#include "proxy/filter_use.h"
#include "proxy/http/filter.h"
#include "proxy/http/replay_body.h"
#include "proxy/http/stored_response.h"
#include "proxy/value.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {

// How far the last attempt came; what may be done after a failure depends on it.
enum class Progress : std::uint8_t { connecting, sent, response_begun, answered };

// Of those that an exchange makes, one and the one before.
struct MadeBody {
  net::BodySource* body = nullptr;
  MadeBody* before = nullptr;
};

// Those of its route, or else of its listener and backend.
struct ExchangeTimeouts {
  Duration client_body{};
  Duration response_head{};
  Duration server_body{};
};

struct Exchange;

// Ends an exchange that takes longer than its route allows: with an error page, or when the
// response has begun, with a reset.
class RequestDeadline : private Timer {
 public:
  explicit RequestDeadline(Exchange& exchange) noexcept;
  ~RequestDeadline() { end(); }
  void begin(Duration limit) noexcept;
  // What it has ended is over: what follows is none of the deadline's.
  void end() noexcept;

 private:
  void on_over() noexcept;
  Exchange& exchange_;
};

struct Exchange {
  Exchange(ClientConnection& client_connection, net::ClientSideStream& client_stream) noexcept;
  Exchange(const Exchange&) = delete;
  ~Exchange();

  // A view or a store of a body, which lives as long as the exchange; nullptr: there is no room.
  template <class Body, class... Arguments>
  Body* make_body(Arguments&&... arguments) noexcept {
    auto* const made = arena.make<MadeBody>();
    if (made == nullptr) return nullptr;
    auto* const view = arena.construct<Body>(std::forward<Arguments>(arguments)...);
    if (view != nullptr) *made = {.body = view, .before = std::exchange(made_bodies, made)};
    return view;
  }

  ClientConnection& connection;
  net::ClientSideStream& client;
  ProxyWorker& proxy;
  LocalRef<ListenerUse> listener_use;
  const Listener& listener;
  Arena arena;
  const net::PeerAddress* client_address;  // the peer's, unless a trusted proxy named another
  std::string_view request_id;             // empty: it has none
  http::RequestHead request;
  http::ResponseHead response;
  LocalRef<backend::WorkerBackend> backend;  // once routed, until the response's body
  // The listener's until it is routed, then the route's; nullptr: there are none.
  const FilterChain* filters;
  LocalRef<FilterUse> filter_use;
  LocalRef<GroupUse> group;         // null: its route has no split, or it came not so far
  MadeBody* made_bodies = nullptr;  // the newest
  TimePoint began;
  AttemptLog attempts;
  Progress progress = Progress::connecting;
  bool may_have_died_at_rest = false;  // the connection of the last attempt that sent something
  // close: no further request is wanted on the connection.
  http::Persistence persistence = http::Persistence::keep_alive;
  ReplayBody body;
  StoredResponse* stored_response = nullptr;  // nullptr: it goes straight to the client
  std::string_view own_body;                  // of an answer that Weir makes itself
  ExchangeTimeouts timeouts;
  RequestDeadline deadline;
  Error error;                // why it failed; kind none: it did not
  std::string_view sentence;  // the same for the log, if more is known than the kind says
  Duration connect_time = stats::kNotReached;
  Duration header_time = stats::kNotReached;
  stats::Reused reused = stats::Reused::no;
  std::uint16_t status = 0;     // sent to the client; 0: none
  bool offers_upgrade = false;  // the server is asked to switch protocols
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
};

// Its values as they are now, for templates. proxy/http/serve_exchange.cc.
ValueSource source_of(const Exchange& x) noexcept;
// The same while the response is on its way through filters.
inline ValueSource source_of(const Exchange& x, const http::ResponseHead& response) noexcept {
  ValueSource source = source_of(x);
  source.response = &response;
  source.status = response.status;
  return source;
}

// Whether the request may be sent once more when nobody knows whether it was carried out.
inline bool is_replayable(const Exchange& x) noexcept {
  return http::is_idempotent(x.request.method) && x.body.is_rewindable();
}

inline bool has_body(const http::RequestHead& request) noexcept {
  const http::BodyLength& body = request.body;
  return body.framing == http::Framing::chunked ||
         (body.framing == http::Framing::length && body.bytes != 0);
}

// Parses done, head in place: routes, makes attempts, answers. Afterwards the client's response is
// complete, or its stream is to be closed. proxy/http/serve_exchange.cc.
Task<void> serve_exchange(Exchange& x);

// One server, whose response head is due then, but for the time that the request takes. An error
// before the response head reached the client leaves the client untouched: another attempt, or an
// error page, may follow. proxy/http/attempt.cc.
Task<Result<void>> attempt(Exchange& x, backend::ServerLease& lease, TimePoint due);

// What happened, for a person: the rule that was broken, if it is known.
std::string_view sentence_of(const Error& error) noexcept;

// The keep-alive loop of one HTTP/1 connection. proxy/http/serve_http_connection.cc.
Task<void> serve_http_connection(ClientConnection& connection);

}  // namespace weir::proxy
