#include "protocol/http1/parse_head.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/assert.h"
#include "protocol/http/authority.h"
#include "protocol/http/characters.h"
#include "protocol/http1/field_line.h"
#include "protocol/http1/scan.h"

namespace weir::http1 {
namespace {

using http::CharacterClass;
using http::Field;
using http::FieldId;
using http::FieldList;
using http::Framing;
using http::Method;
using http::Persistence;
using http::Scope;
using http::Version;

// What the fields said that is needed to judge the head as a whole.
struct Noted {
  const Field* host = nullptr;  // the last of them
  unsigned hosts = 0;
  Field* content_length = nullptr;
  const Field* transfer_encoding = nullptr;
  const Field* connection = nullptr;  // the first of them
};

ParseResult failed(Error error) noexcept {
  return {.status = ParseStatus::failed, .consumed = 0, .error = error};
}

// Bytes of the empty lines before a request; one more than are allowed is not skipped.
std::size_t count_empty_line_bytes(std::string_view bytes) noexcept {
  std::size_t at = 0;
  while (at < 2 * kEmptyLinesMax && bytes.substr(at).starts_with("\r\n")) at += 2;
  return at;
}

// Judges what there is of a request's method, so that what is no request is refused at once.
Rule check_method(std::string_view line) noexcept {
  const std::size_t size = std::min(line.size(), kMethodBytesMax + 1);
  std::size_t at = 0;
  while (at < size && is_in(CharacterClass::token, line[at])) ++at;
  if (at == size) return size > kMethodBytesMax ? Rule::method_too_long : Rule::none;
  if (line[at] == ' ') return at == 0 ? Rule::method_invalid : Rule::none;
  if (line[at] == '\r' && at + 1 == line.size()) return Rule::none;
  if (line.starts_with("\r\n")) return Rule::empty_lines_too_many;
  if (line.starts_with('\x16')) return Rule::tls_handshake;
  return broken_rule(line.data() + at,
                     line[at] == '\r' ? Rule::request_line_malformed : Rule::method_invalid);
}

Rule parse_version(Cursor& cursor, Version& version) noexcept {
  constexpr std::size_t kBytes = std::string_view("HTTP/1.1").size();
  const auto left = static_cast<std::size_t>(cursor.end - cursor.at);
  const std::string_view text(cursor.at, std::min(kBytes, left));
  if (text == "HTTP/1.1") {
    version = Version::http_1_1;
  } else if (text == "HTTP/1.0") {
    version = Version::http_1_0;
  } else {
    const bool is_version = text.size() == kBytes && text.starts_with("HTTP/") &&
                            http::is_digit(text[5]) && text[6] == '.' && http::is_digit(text[7]);
    return is_version ? Rule::version_unsupported : Rule::version_malformed;
  }
  cursor.at += kBytes;
  return Rule::none;
}

Rule parse_request_line(Cursor& cursor, http::RequestHead& head) noexcept {
  const char* at = skip(CharacterClass::token, cursor.at);
  head.method_text = {cursor.at, at};
  if (*at != ' ') return broken_rule(at, Rule::request_line_malformed);
  head.method = http::find_method(head.method_text);

  const char* const target = ++at;
  at = skip_target(at, cursor.end);
  head.target = {target, at};
  if (*at != ' ') {
    return broken_rule(at, *at == '\r' ? Rule::request_line_malformed : Rule::target_invalid);
  }
  if (head.target.empty()) return Rule::request_line_malformed;

  cursor.at = at + 1;
  if (const Rule rule = parse_version(cursor, head.version); rule != Rule::none) return rule;
  if (!is_at_line_end(cursor.at)) return broken_rule(cursor.at, Rule::request_line_malformed);
  cursor.at += 2;
  return Rule::none;
}

void split_query(std::string_view path_and_query, http::RequestHead& head) noexcept {
  const std::size_t mark = path_and_query.find('?');
  head.path = path_and_query.substr(0, mark);
  if (mark != std::string_view::npos) head.query = path_and_query.substr(mark + 1);
}

// http://authority/path?query (RFC 9112 3.2.2); `rest` is what follows the slashes.
Rule split_absolute_form(std::string_view rest, http::RequestHead& head) noexcept {
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  head.authority = rest.substr(0, authority_end);
  if (!http::parse_authority(head.authority)) return Rule::target_authority_invalid;
  split_query(rest.substr(authority_end), head);
  if (head.path.empty()) {
    // RFC 9110 4.2.3, and RFC 9112 3.2.4 for OPTIONS of the server as a whole.
    const bool is_server_wide = head.method == Method::options && head.query.data() == nullptr;
    head.path = is_server_wide ? "*" : "/";
  }
  return Rule::none;
}

// RFC 9112 3.2: the four forms of a target.
Rule split_target(http::RequestHead& head) noexcept {
  const std::string_view target = head.target;
  if (head.method == Method::connect) {
    const auto authority = http::parse_authority(target);
    if (!authority || authority->port.empty()) return Rule::target_form_wrong;
    head.authority = target;
    return Rule::none;
  }
  if (target.starts_with('/')) {
    split_query(target, head);
    return Rule::none;
  }
  if (target == "*") {
    if (head.method != Method::options) return Rule::target_form_wrong;
    head.path = target;
    return Rule::none;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (http::equals_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      return split_absolute_form(target.substr(scheme.size()), head);
    }
  }
  return Rule::target_form_wrong;
}

// Fields that never pass: they are about this connection, or every hop writes them anew.
constexpr Scope scope_of(FieldId id) noexcept {
  switch (id) {
    case FieldId::connection:
    case FieldId::content_length:
    case FieldId::host:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return Scope::hop_by_hop;
    case FieldId::other:
    case FieldId::content_type:
    case FieldId::cookie:
    case FieldId::date:
    case FieldId::expect:
    case FieldId::forwarded:
    case FieldId::max_forwards:
    case FieldId::referer:
    case FieldId::trailer:
    case FieldId::server:
    case FieldId::user_agent:
    case FieldId::via:
    case FieldId::x_forwarded_for:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_port:
    case FieldId::x_forwarded_proto:
    case FieldId::x_real_ip:
      return Scope::end_to_end;
  }
  return Scope::end_to_end;
}

Rule note(Field& field, Noted& noted) noexcept {
  if (field.id == FieldId::host) {
    noted.host = &field;
    ++noted.hosts;
  } else if (field.id == FieldId::content_length) {
    if (noted.content_length != nullptr) return Rule::content_length_repeated;
    noted.content_length = &field;
  } else if (field.id == FieldId::transfer_encoding) {
    if (noted.transfer_encoding != nullptr) return Rule::transfer_encoding_repeated;
    noted.transfer_encoding = &field;
  } else if (field.id == FieldId::connection) {
    if (noted.connection == nullptr) noted.connection = &field;
  }
  return Rule::none;
}

// Up to and with the empty line.
Rule parse_fields(Cursor& cursor, std::size_t fields_max, FieldList& fields,
                  Noted& noted) noexcept {
  while (!is_at_line_end(cursor.at)) {
    if (fields.size() == fields_max) return Rule::fields_too_many;
    // The list of a head that is refused is read as well, so a broken line must not get into it.
    Field parsed;
    if (const Rule rule = parse_field_line(cursor, parsed); rule != Rule::none) return rule;
    parsed.scope = scope_of(parsed.id);
    Field& field = fields.append();
    field = parsed;
    if (field.scope == Scope::end_to_end) continue;
    if (const Rule rule = note(field, noted); rule != Rule::none) return rule;
  }
  cursor.at += 2;
  return Rule::none;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_white_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_white_space(text.back())) text.remove_suffix(1);
  return text;
}

struct ConnectionOptions {
  std::size_t count = 0;
  bool close = false;
  bool keep_alive = false;
};

// Reads one Connection field: a list of options, of which all but two name fields of this hop.
void read_connection(std::string_view list, FieldList& fields,
                     ConnectionOptions& options) noexcept {
  while (!list.empty() && options.count <= kConnectionOptionsMax) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view option = trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (option.empty()) continue;
    ++options.count;
    if (http::equals_ignoring_case(option, "close")) {
      options.close = true;
    } else if (http::equals_ignoring_case(option, "keep-alive")) {
      options.keep_alive = true;
    } else {
      for (Field& field : fields) {
        if (http::equals_ignoring_case(field.name, option)) field.scope = Scope::hop_by_hop;
      }
    }
  }
}

// RFC 9110 7.6.1 and RFC 9112 9.3.
Rule apply_connection(const Noted& noted, Version version, FieldList& fields,
                      Persistence& persistence) noexcept {
  ConnectionOptions options;
  if (noted.connection != nullptr) {
    for (const Field* field = noted.connection; field != fields.end(); ++field) {
      if (field->id == FieldId::connection) read_connection(field->value, fields, options);
    }
    if (options.count > kConnectionOptionsMax) return Rule::connection_options_too_many;
  }
  const bool persists = !options.close && (version == Version::http_1_1 || options.keep_alive);
  persistence = persists ? Persistence::keep_alive : Persistence::close;
  return Rule::none;
}

// Below 2^63, so that it fits the offsets of every system call.
Rule parse_content_length(std::string_view value, std::uint64_t& bytes) noexcept {
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, bytes);  // takes no sign, no space
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  const bool is_number = error == std::errc() && stop == end && bytes <= kMax;
  return is_number ? Rule::none : Rule::content_length_invalid;
}

// Of a list as in RFC 9110 5.6.1, where empty members do not count; without its parameters.
std::string_view last_member(std::string_view list) noexcept {
  list = list.substr(0, list.find_last_not_of(", \t") + 1);  // npos + 1 is 0
  const std::string_view member = list.substr(list.rfind(',') + 1);
  const std::string_view coding = member.substr(0, member.find(';'));
  const std::size_t begin = std::min(coding.find_first_not_of(" \t"), coding.size());
  return coding.substr(begin, coding.find_last_not_of(" \t") + 1 - begin);
}

// RFC 9112 6.3, of which nothing is repaired.
Rule find_body_length(const Noted& noted, Version version, http::BodyLength& body) noexcept {
  body = {};
  if (noted.transfer_encoding != nullptr) {
    if (noted.content_length != nullptr) return Rule::length_and_transfer_encoding;
    if (version == Version::http_1_0) return Rule::transfer_encoding_in_http_1_0;
    if (!http::equals_ignoring_case(noted.transfer_encoding->value, "chunked")) {
      const bool has_end =
          http::equals_ignoring_case(last_member(noted.transfer_encoding->value), "chunked");
      return has_end ? Rule::transfer_encoding_unsupported : Rule::transfer_encoding_invalid;
    }
    body.framing = Framing::chunked;
  } else if (noted.content_length != nullptr) {
    body.framing = Framing::length;
    return parse_content_length(noted.content_length->value, body.bytes);
  }
  return Rule::none;
}

// RFC 9112 3.2 and 3.2.2: the authority of an absolute-form target replaces Host.
Rule find_authority(const Noted& noted, http::RequestHead& head) noexcept {
  if (noted.host == nullptr) {
    return head.version == Version::http_1_1 ? Rule::host_missing : Rule::none;
  }
  if (noted.hosts > 1) return Rule::host_repeated;
  if (!http::parse_authority(noted.host->value)) return Rule::host_invalid;
  if (head.authority.empty()) head.authority = noted.host->value;
  return Rule::none;
}

std::size_t fields_max(const HeadLimits& limits, const FieldList& fields) noexcept {
  return std::min<std::size_t>(limits.fields, fields.capacity());
}

// The rules are asked in the order of the bytes, then those about the head as a whole.
Rule parse_request(Cursor& cursor, const HeadLimits& limits, http::RequestHead& head) noexcept {
  head.authority = head.path = head.query = {};
  head.fields.clear();
  Noted noted;
  if (const Rule rule = parse_request_line(cursor, head); rule != Rule::none) return rule;
  if (const Rule rule = split_target(head); rule != Rule::none) return rule;
  if (const Rule rule = parse_fields(cursor, fields_max(limits, head.fields), head.fields, noted);
      rule != Rule::none) {
    return rule;
  }
  if (const Rule rule = find_authority(noted, head); rule != Rule::none) return rule;
  if (const Rule rule = find_body_length(noted, head.version, head.body); rule != Rule::none) {
    return rule;
  }
  return apply_connection(noted, head.version, head.fields, head.persistence);
}

Rule parse_status_line(Cursor& cursor, http::ResponseHead& head) noexcept {
  if (const Rule rule = parse_version(cursor, head.version); rule != Rule::none) return rule;
  const char* at = cursor.at;
  if (*at != ' ') return broken_rule(at, Rule::status_line_malformed);
  ++at;
  unsigned status = 0;
  const char* const digits = at;
  for (; http::is_digit(*at) && at - digits < 3; ++at) {
    status = status * 10 + static_cast<unsigned>(*at - '0');
  }
  if (at - digits < 3 || status < 100 || status > 599) {
    return broken_rule(at, Rule::status_invalid);
  }
  head.status = static_cast<std::uint16_t>(status);
  // Some servers leave out the space before an empty reason; nothing else can be meant.
  if (*at != ' ' && *at != '\r') return broken_rule(at, Rule::status_invalid);
  if (*at == ' ') ++at;
  const char* const reason = at;
  at = skip_value(at, cursor.end);
  if (!is_at_line_end(at)) return broken_rule(at, Rule::reason_invalid);
  head.reason = {reason, at};
  cursor.at = at + 2;
  return Rule::none;
}

// RFC 9112 6.3: answers that have no body whatever their fields say, and those that the close ends.
void apply_status(Method request_method, const Noted& noted, http::ResponseHead& head) noexcept {
  const bool describes_only = request_method == Method::head || head.status == 304;
  const bool has_no_body = head.status < 200 || head.status == 204 ||
                           (request_method == Method::connect && head.status < 300);
  if (describes_only && !has_no_body && noted.content_length != nullptr) {
    noted.content_length->scope = Scope::end_to_end;
  }
  if (describes_only || has_no_body) {
    head.body = {};
  } else if (head.body.framing == Framing::none) {
    head.body.framing = Framing::until_close;
    head.persistence = Persistence::close;
  }
}

Rule parse_response(Cursor& cursor, const HeadLimits& limits, Method request_method,
                    http::ResponseHead& head) noexcept {
  head.fields.clear();
  Noted noted;
  if (const Rule rule = parse_status_line(cursor, head); rule != Rule::none) return rule;
  if (const Rule rule = parse_fields(cursor, fields_max(limits, head.fields), head.fields, noted);
      rule != Rule::none) {
    return rule;
  }
  if (const Rule rule = find_body_length(noted, head.version, head.body); rule != Rule::none) {
    return rule;
  }
  if (const Rule rule = apply_connection(noted, head.version, head.fields, head.persistence);
      rule != Rule::none) {
    return rule;
  }
  apply_status(request_method, noted, head);
  return Rule::none;
}

}  // namespace

ParseResult parse_request_head(std::string_view bytes, std::size_t scanned,
                               const HeadLimits& limits, http::RequestHead& head) noexcept {
  const std::size_t start = count_empty_line_bytes(bytes);
  const Rule method_rule = check_method(bytes.substr(start));
  if (method_rule != Rule::none) return failed(request_error(method_rule));

  const std::string_view window = bytes.substr(0, limits.head_bytes);
  // The two bytes before are no line feeds, or check_method() would have refused them.
  const std::size_t last = find_head_end(window, std::max(start + 2, scanned));
  if (last == std::string_view::npos) {
    if (bytes.size() < limits.head_bytes) return {};
    const bool has_line = window.find('\n', start) != std::string_view::npos;
    return failed(request_error(has_line ? Rule::head_too_large : Rule::target_too_long));
  }
  Cursor cursor{.at = bytes.data() + start, .end = bytes.data() + last + 1};
  const Rule rule = parse_request(cursor, limits, head);
  if (rule != Rule::none) return failed(request_error(rule));
  WEIR_ASSERT(cursor.at == cursor.end);
  return {.status = ParseStatus::complete, .consumed = last + 1, .error = {}};
}

ParseResult parse_response_head(std::string_view bytes, std::size_t scanned, Method request_method,
                                const HeadLimits& limits, http::ResponseHead& head) noexcept {
  constexpr std::string_view kStart = "HTTP/";
  if (!bytes.starts_with(kStart.substr(0, bytes.size()))) {
    return failed(response_error(Rule::status_line_malformed));
  }
  const std::string_view window = bytes.substr(0, limits.head_bytes);
  const std::size_t last = find_head_end(window, std::max(kStart.size(), scanned));
  if (last == std::string_view::npos) {
    return bytes.size() < limits.head_bytes ? ParseResult{}
                                            : failed(response_error(Rule::head_too_large));
  }
  Cursor cursor{.at = bytes.data(), .end = bytes.data() + last + 1};
  const Rule rule = parse_response(cursor, limits, request_method, head);
  if (rule != Rule::none) return failed(response_error(rule));
  WEIR_ASSERT(cursor.at == cursor.end);
  return {.status = ParseStatus::complete, .consumed = last + 1, .error = {}};
}

}  // namespace weir::http1
