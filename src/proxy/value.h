#pragma once
// The values of an exchange or tunnel that templates, keys and log formats name: one table, from
// which come the texts, the checks of a configuration and the reference page.

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/error.h"
#include "base/time.h"

namespace weir::backend {
class WorkerBackend;
}
namespace weir::net {
class PeerAddress;
}
namespace weir::http {
struct RequestHead;
struct ResponseHead;
}  // namespace weir::http

namespace weir::proxy {

class AttemptLog;
class ClientConnection;
struct ListenerUse;

// From when on a value is known: the request's head is there; its route has said who answers; the
// response's head is there; all is over.
enum class Known : std::uint8_t { request, route, response, end };

// Where values are taken from. What it refers to outlives it.
struct ValueSource {
  const ClientConnection* connection;  // nullptr: nobody is connected, somebody asks what would be
  const net::PeerAddress& client;      // who made the request, as far as is believed
  const ListenerUse& listener_use;
  const AttemptLog* attempts;             // nullptr likewise
  const backend::WorkerBackend* backend;  // nullptr: none yet, or that of the last attempt
  std::string_view group;                 // of a split; empty: none
  TimePoint began;
  Duration connect_time;
  Duration header_time;
  Error error;
  std::uint64_t bytes_received;
  std::uint64_t bytes_sent;
  // nullptr: a tunnel, which has none.
  const http::RequestHead* request = nullptr;
  const http::ResponseHead* response = nullptr;
  std::uint16_t status = 0;          // that the client gets; 0: none
  std::string_view request_id = {};  // empty: it has none
};

// Room for the text of a value that has to be written first.
using ValueSpace = std::array<char, 128>;

// `name` is the last part of the value's name where the row leaves it open, else empty.
using ValueText = std::string_view (*)(const ValueSource& source, std::string_view name,
                                       ValueSpace& space) noexcept;

// What may stand for NAME.
enum class ValueName : std::uint8_t { none, token, query };

struct ValueRow {
  std::string_view name;  // "request.path"; of a row with a NAME what is before it, with its dot
  ValueName takes;
  Known known;
  std::string_view help;  // one or more sentences
  // Points into the source or the space; empty: there is no such thing, or not yet. Worker, does
  // not allocate.
  ValueText text;
};

std::span<const ValueRow> value_rows() noexcept;

// A value as a template names it.
struct ValueReference {
  const ValueRow* row;
  std::string_view name;  // that stands for NAME
};
// The error says what is wrong with the name, and which one was meant; or that the value is not
// known so early.
std::expected<ValueReference, std::string> find_value(std::string_view name WEIR_LIFETIMEBOUND,
                                                      Known at);

// Whether NAME is a field of the response.
bool is_response_field(const ValueRow& row) noexcept;

// docs/reference/values.md.
std::string values_reference();

}  // namespace weir::proxy
