#pragma once
// For the tests and the fuzzer of heads: parses whole or in pieces, prints what was understood, and
// writes it anew.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http1/parse_head.h"
#include "protocol/http1/write_head.h"

namespace weir::http1::test {

enum class Message : std::uint8_t { request, response };

struct Reader {
  Message message = Message::request;
  http::Method request_method = http::Method::get;  // that a response answers
  HeadLimits limits = {};
};

struct Outcome {
  ParseStatus status = ParseStatus::incomplete;
  std::size_t consumed = 0;
  Rule rule = Rule::none;
  ErrorKind kind = ErrorKind::none;
  std::string head;     // all of it, printed, when complete
  std::string meaning;  // the part of it that the next hop must understand alike
  std::string written;  // the head that the writer makes of it
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// The host that a request of HTTP/1.0 without one is forwarded with.
inline constexpr std::string_view kServerName = "server.test";

inline void check_view(std::string_view bytes, std::string_view view) {
  const auto address = [](const char* at) { return reinterpret_cast<std::uintptr_t>(at); };
  const bool is_inside = address(view.data()) >= address(bytes.data()) &&
                         address(view.data() + view.size()) <= address(bytes.data() + bytes.size());
  const bool is_default = view.empty() || view == "/" || view == "*";
  if (!is_inside && !is_default) std::abort();
}

inline void add(std::string& text, std::string_view key, std::string_view value) {
  text.append(key).append("=<").append(value).append(">\n");
}

inline void add_body(std::string& text, const http::BodyLength& body) {
  add(text, "framing", std::to_string(static_cast<int>(body.framing)));
  add(text, "bytes", std::to_string(body.bytes));
}

inline void add_fields(std::string& text, const http::FieldList& fields, std::string_view bytes) {
  for (const http::Field& field : fields) {
    check_view(bytes, field.name);
    check_view(bytes, field.value);
    add(text, field.name, field.value);
    if (field.scope == http::Scope::hop_by_hop) text += " hop\n";
  }
}

inline void add_forwarded_fields(std::string& text, const http::FieldList& fields) {
  for (const http::Field& field : fields) {
    if (field.scope == http::Scope::end_to_end) add(text, field.name, field.value);
  }
}

inline void describe(const http::RequestHead& head, std::string_view bytes, Outcome& outcome) {
  for (const std::string_view view :
       {head.method_text, head.target, head.authority, head.path, head.query}) {
    check_view(bytes, view);
  }
  std::string& meaning = outcome.meaning;
  add(meaning, "method", head.method_text);
  add(meaning, "authority", head.authority.empty() ? kServerName : head.authority);
  add(meaning, "path", head.path);
  if (head.query.data() != nullptr) add(meaning, "query", head.query);
  add_body(meaning, head.body);
  outcome.head = meaning;
  add(outcome.head, "target", head.target);
  add(outcome.head, "version", head.version == http::Version::http_1_1 ? "1.1" : "1.0");
  add(outcome.head, "persists", head.persistence == http::Persistence::close ? "no" : "yes");
  add_fields(outcome.head, head.fields, bytes);
  add_forwarded_fields(meaning, head.fields);
}

inline void describe(const http::ResponseHead& head, std::string_view bytes, Outcome& outcome) {
  check_view(bytes, head.reason);
  std::string& meaning = outcome.meaning;
  add(meaning, "status", std::to_string(head.status));
  add(meaning, "reason", head.reason);
  add_body(meaning, head.body);
  outcome.head = meaning;
  add(outcome.head, "version", head.version == http::Version::http_1_1 ? "1.1" : "1.0");
  add(outcome.head, "persists", head.persistence == http::Persistence::close ? "no" : "yes");
  add_fields(outcome.head, head.fields, bytes);
  add_forwarded_fields(meaning, head.fields);
}

// The writer adds at most Host, framing and a missing path.
inline std::string text_of(std::span<const char> out, std::optional<std::size_t> size) {
  if (!size) std::abort();
  return {out.data(), *size};
}

inline ParseResult parse_request(const Reader& reader, std::string_view bytes, std::size_t scanned,
                                 Outcome& outcome) {
  std::array<http::Field, 128> storage;
  http::RequestHead head;
  head.fields = http::FieldList(storage);
  const ParseResult result = parse_request_head(bytes, scanned, reader.limits, head);
  if (result.status != ParseStatus::complete) return result;
  describe(head, bytes.substr(0, result.consumed), outcome);
  if (head.authority.empty()) head.authority = kServerName;
  std::vector<char> out(bytes.size() * 2 + 100);
  outcome.written = text_of(out, write_request_head(out, head));
  return result;
}

inline ParseResult parse_response(const Reader& reader, std::string_view bytes, std::size_t scanned,
                                  Outcome& outcome) {
  std::array<http::Field, 128> storage;
  http::ResponseHead head;
  head.fields = http::FieldList(storage);
  const ParseResult result =
      parse_response_head(bytes, scanned, reader.request_method, reader.limits, head);
  if (result.status != ParseStatus::complete) return result;
  describe(head, bytes.substr(0, result.consumed), outcome);
  std::vector<char> out(bytes.size() + 100);
  outcome.written = text_of(out, write_response_head(out, head, ConnectionField::omit));
  return result;
}

// Parses a copy of the bytes whose memory ends where they do. Aborts if a view lies outside of
// them.
inline Outcome parse(const Reader& reader, std::string_view bytes, std::size_t scanned = 0) {
  const std::vector<char> copy(bytes.begin(), bytes.end());
  const std::string_view exact(copy.data(), copy.size());
  Outcome outcome;
  const ParseResult result = reader.message == Message::request
                                 ? parse_request(reader, exact, scanned, outcome)
                                 : parse_response(reader, exact, scanned, outcome);
  outcome.status = result.status;
  outcome.consumed = result.consumed;
  outcome.rule = find_rule(result.error);
  outcome.kind = result.error.kind;
  return outcome;
}

// Shows the first `piece_bytes` bytes, then as many more, until the head is complete or refused.
inline Outcome parse_in_pieces(const Reader& reader, std::string_view bytes,
                               std::size_t piece_bytes) {
  Outcome outcome;
  std::size_t scanned = 0;
  while (outcome.status == ParseStatus::incomplete && scanned < bytes.size()) {
    const std::size_t shown = std::min(scanned + piece_bytes, bytes.size());
    outcome = parse(reader, bytes.substr(0, shown), scanned);
    scanned = shown;
  }
  return outcome;
}

}  // namespace weir::http1::test
