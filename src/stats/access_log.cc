#include "stats/access_log.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <ctime>
#include <type_traits>

#include "base/assert.h"
#include "base/json.h"

namespace weir::stats {
namespace {

constexpr std::array kTexts = {
    &AccessRecord::listener, &AccessRecord::client_address, &AccessRecord::method,
    &AccessRecord::target,   &AccessRecord::protocol,       &AccessRecord::host,
    &AccessRecord::referer,  &AccessRecord::user_agent,     &AccessRecord::backend,
    &AccessRecord::server,   &AccessRecord::sentence,
};

// The encoded form: this, then the texts one after another.
struct Fixed {
  WallTime time;
  Duration request_time;
  Duration connect_time;
  Duration header_time;
  std::uint64_t bytes_received;
  std::uint64_t bytes_sent;
  Error reason;
  std::uint16_t status;
  std::uint16_t attempts;
  AccessKind kind;
  Reused reused;
  std::array<std::uint16_t, kTexts.size()> lengths;
};
static_assert(std::is_trivially_copyable_v<Fixed>);
static_assert(sizeof(Fixed) + kAccessTargetBytesMax + kAccessSentenceBytesMax +
                  (kTexts.size() - 2) * kAccessTextBytesMax <=
              kAccessRecordBytesMax);

std::size_t bytes_max_of(std::string_view AccessRecord::* text) noexcept {
  if (text == &AccessRecord::target) return kAccessTargetBytesMax;
  return text == &AccessRecord::sentence ? kAccessSentenceBytesMax : kAccessTextBytesMax;
}

std::string_view sentence_of(const AccessRecord& record) noexcept {
  return record.sentence.empty() ? row_of(record.reason.kind).sentence : record.sentence;
}

// ---- Combined

enum class Quoted : std::uint8_t { no, yes };

// nginx's escapes: control bytes, quotes, backslashes and what is not ASCII become \xXX. Outside of
// quotes a space would begin the next field, so it is escaped too.
void append_escaped(std::string& out, std::string_view text, Quoted quoted) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  if (text.empty()) out += '-';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const unsigned char plain_from = quoted == Quoted::yes ? ' ' : ' ' + 1;
    if (byte >= plain_from && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
      continue;
    }
    out += "\\x";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += " \"";
  append_escaped(out, text, Quoted::yes);
  out += '"';
}

void append_pair(std::string& out, std::string_view name, std::string_view value) {
  out.append(" ").append(name).append("=");
  append_escaped(out, value, Quoted::no);
}

void append_pair(std::string& out, std::string_view name, std::uint64_t value) {
  out.append(" ").append(name).append("=");
  append_number(out, value);
}

void append_pair(std::string& out, std::string_view name, Duration value) {
  out.append(" ").append(name).append("=");
  if (value < Duration::zero()) {
    out += '-';
  } else {
    append_seconds(out, value, 3);
  }
}

std::time_t whole_seconds(WallTime time) noexcept {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

// [10/Oct/2000:13:55:36 +0200]. The process never sets a locale, so month names are English.
void append_local_time(std::string& out, WallTime time) {
  const std::time_t seconds = whole_seconds(time);
  std::tm local;
  char text[64];
  ::localtime_r(&seconds, &local);
  out.append(text, std::strftime(text, sizeof text, " [%d/%b/%Y:%H:%M:%S %z]", &local));
}

void append_request(std::string& out, const AccessRecord& record) {
  out += " \"";
  if (record.kind == AccessKind::tcp) {
    out += "TCP ";
    append_escaped(out, record.listener, Quoted::yes);
  } else if (record.method.empty()) {
    out += '-';  // no request line could be read
  } else {
    append_escaped(out, record.method, Quoted::yes);
    out += ' ';
    append_escaped(out, record.target, Quoted::yes);
    out += ' ';
    append_escaped(out, record.protocol, Quoted::yes);
  }
  out += '"';
}

// Three digits always, as nginx writes it.
void append_status(std::string& out, std::uint16_t status) {
  out += ' ';
  if (status == 0) out += "00";
  append_number(out, std::uint64_t{status});
}

// `users/u1`, `users/-` if none of the backend's servers was picked; empty if there was no backend.
std::string server_path(const AccessRecord& record) {
  if (record.backend.empty()) return {};
  std::string path(record.backend);
  path += '/';
  path += record.server.empty() ? "-" : record.server;
  return path;
}

void append_reason(std::string& out, const AccessRecord& record) {
  const Error reason = record.reason;
  if (reason.os_error > 0) append_pair(out, "errno", static_cast<std::uint64_t>(reason.os_error));
  if (reason.detail != 0) append_pair(out, "detail", std::uint64_t{reason.detail});
  const ErrorKindRow& row = row_of(reason.kind);
  append_pair(out, "reason", row.word);
  if (reason.kind != ErrorKind::none) append_quoted(out, sentence_of(record));
}

// ---- JSON

void append_name(std::string& out, std::string_view name) {
  out.append(out.ends_with('{') ? "\"" : ",\"").append(name).append("\":");
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  append_name(out, name);
  if (value.empty()) {
    out += "null";
  } else {
    append_json_string(out, value);
  }
}

void append_member(std::string& out, std::string_view name, std::uint64_t value) {
  append_name(out, name);
  append_number(out, value);
}

void append_member(std::string& out, std::string_view name, Duration value) {
  append_name(out, name);
  if (value < Duration::zero()) {
    out += "null";
  } else {
    append_seconds(out, value, 6);
  }
}

// RFC 3339 in UTC with milliseconds.
void append_time_member(std::string& out, WallTime time) {
  const std::time_t seconds = whole_seconds(time);
  const Duration rest = time - std::chrono::floor<std::chrono::seconds>(time);
  std::tm utc;
  char text[64];
  ::gmtime_r(&seconds, &utc);
  append_name(out, "time");
  out.append("\"").append(text, std::strftime(text, sizeof text, "%FT%T", &utc));
  std::string fraction;
  append_seconds(fraction, rest, 3);
  out.append(fraction, 1).append("Z\"");
}

void append_reason_members(std::string& out, const AccessRecord& record) {
  const Error reason = record.reason;
  if (reason.kind == ErrorKind::none) return append_member(out, "reason", "");
  const ErrorKindRow& row = row_of(reason.kind);
  append_member(out, "reason", row.word);
  append_member(out, "sentence", sentence_of(record));
  if (reason.os_error > 0) append_member(out, "errno", static_cast<std::uint64_t>(reason.os_error));
  if (reason.detail != 0) append_member(out, "detail", std::uint64_t{reason.detail});
}

}  // namespace

std::size_t encode(const AccessRecord& record, std::span<char> out) noexcept {
  WEIR_ASSERT(out.size() >= kAccessRecordBytesMax);
  Fixed fixed{.time = record.time,
              .request_time = record.request_time,
              .connect_time = record.connect_time,
              .header_time = record.header_time,
              .bytes_received = record.bytes_received,
              .bytes_sent = record.bytes_sent,
              .reason = record.reason,
              .status = record.status,
              .attempts = record.attempts,
              .kind = record.kind,
              .reused = record.reused,
              .lengths = {}};
  std::size_t size = sizeof fixed;
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    const std::string_view text = (record.*kTexts[i]).substr(0, bytes_max_of(kTexts[i]));
    fixed.lengths[i] = static_cast<std::uint16_t>(text.size());
    std::ranges::copy(text, out.begin() + static_cast<std::ptrdiff_t>(size));
    size += text.size();
  }
  std::memcpy(out.data(), &fixed, sizeof fixed);
  return size;
}

AccessRecord decode(std::span<const char> bytes) noexcept {
  WEIR_ASSERT(bytes.size() >= sizeof(Fixed));
  Fixed fixed;
  std::memcpy(&fixed, bytes.data(), sizeof fixed);
  AccessRecord record;
  record.kind = fixed.kind;
  record.reused = fixed.reused;
  record.status = fixed.status;
  record.attempts = fixed.attempts;
  record.reason = fixed.reason;
  record.time = fixed.time;
  record.request_time = fixed.request_time;
  record.connect_time = fixed.connect_time;
  record.header_time = fixed.header_time;
  record.bytes_received = fixed.bytes_received;
  record.bytes_sent = fixed.bytes_sent;
  std::size_t at = sizeof fixed;
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    record.*kTexts[i] = {bytes.data() + at, fixed.lengths[i]};
    at += fixed.lengths[i];
  }
  WEIR_ASSERT(at == bytes.size());
  return record;
}

void format_combined(const AccessRecord& record, std::string& out) {
  append_escaped(out, record.client_address, Quoted::no);
  out += " - -";
  append_local_time(out, record.time);
  append_request(out, record);
  append_status(out, record.status);
  out += ' ';
  append_number(out, record.bytes_sent);
  append_quoted(out, record.referer);
  append_quoted(out, record.user_agent);
  append_pair(out, "request_time", record.request_time);
  append_pair(out, "connect_time", record.connect_time);
  append_pair(out, "header_time", record.header_time);
  append_pair(out, "listener", record.listener);
  append_pair(out, "host", record.host);
  append_pair(out, "server", server_path(record));
  append_pair(out, "attempts", record.attempts);
  append_pair(out, "reused", record.reused == Reused::yes ? "yes" : "no");
  append_pair(out, "bytes_received", record.bytes_received);
  append_reason(out, record);
  out += '\n';
}

void format_json(const AccessRecord& record, std::string& out) {
  out += '{';
  append_time_member(out, record.time);
  append_member(out, "kind", record.kind == AccessKind::http ? "http" : "tcp");
  append_member(out, "client_address", record.client_address);
  append_member(out, "method", record.method);
  append_member(out, "target", record.target);
  append_member(out, "protocol", record.protocol);
  append_name(out, "status");
  if (record.status == 0) {
    out += "null";
  } else {
    append_number(out, std::uint64_t{record.status});
  }
  append_member(out, "bytes_sent", record.bytes_sent);
  append_member(out, "referer", record.referer);
  append_member(out, "user_agent", record.user_agent);
  append_member(out, "request_time", record.request_time);
  append_member(out, "connect_time", record.connect_time);
  append_member(out, "header_time", record.header_time);
  append_member(out, "listener", record.listener);
  append_member(out, "host", record.host);
  append_member(out, "server", server_path(record));
  append_member(out, "attempts", record.attempts);
  append_name(out, "reused");
  out += record.reused == Reused::yes ? "true" : "false";
  append_member(out, "bytes_received", record.bytes_received);
  append_reason_members(out, record);
  out += "}\n";
}

}  // namespace weir::stats
