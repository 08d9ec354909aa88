#include "plain_http1.h"

#include <algorithm>

namespace weir::plain {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

// What Weir allows where the RFCs leave a limit to the recipient.
constexpr std::size_t kEmptyLinesMax = 4;
constexpr std::size_t kMethodMax = 32;
constexpr std::size_t kConnectionOptionsMax = 32;
constexpr std::size_t kChunkSizeDigitsMax = 16;
constexpr std::size_t kChunkExtensionMax = 1024;
constexpr std::size_t kExtensionsMax = 64 * 1024;
constexpr std::size_t kTrailersMax = 8 * 1024;

bool has(std::string_view set, char c) { return set.find(c) != set.npos; }

// RFC 9110 5.6.2.
bool is_tchar(char c) { return has("!#$%&'*+-.^_`|~", c) || has(kDigits, c) || has(kLetters, c); }

// RFC 9110 5.5: VCHAR, obs-text, SP and HTAB.
bool is_value_character(char c) {
  const int byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte <= 0x7e) || byte >= 0x80;
}

bool is_visible(char c) { return c > 0x20 && c < 0x7f; }
bool is_space(char c) { return c == ' ' || c == '\t'; }

template <typename Test>
bool all(std::string_view text, Test test) {
  return std::ranges::all_of(text, test);
}

bool is_token(std::string_view text) { return !text.empty() && all(text, is_tchar); }
bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kDigits) == text.npos;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

std::string trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return std::string(text);
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

// RFC 9110 5.6.1: a list; empty members do not count.
std::vector<std::string> members(std::string_view list) {
  std::vector<std::string> result;
  for (const std::string& part : split(list, ",")) {
    if (const std::string member = trim(part); !member.empty()) result.push_back(member);
  }
  return result;
}

// RFC 3986 3.2.2: dec-octets.
bool is_ipv4_address(std::string_view text) {
  const std::vector<std::string> octets = split(text, ".");
  if (octets.size() != 4) return false;
  return std::ranges::all_of(octets, [](const std::string& octet) {
    return is_number(octet) && octet.size() <= 3 && std::stoi(octet) <= 255 &&
           (octet.size() == 1 || octet[0] != '0');
  });
}

// How many groups of 16 bits these are; nullopt: they are none. An IPv4 address may be the last.
std::optional<std::size_t> count_groups(std::string_view text, bool may_end_in_ipv4) {
  if (text.empty()) return 0;
  const std::vector<std::string> groups = split(text, ":");
  std::size_t count = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (may_end_in_ipv4 && i + 1 == groups.size() && is_ipv4_address(groups[i])) return count + 2;
    if (groups[i].empty() || groups[i].size() > 4) return std::nullopt;
    if (groups[i].find_first_not_of(kHexDigits) != std::string::npos) return std::nullopt;
    ++count;
  }
  return count;
}

// RFC 3986 3.2.2: eight groups, or fewer around one "::".
bool is_ipv6_address(std::string_view text) {
  const std::vector<std::string> halves = split(text, "::");
  if (halves.size() == 1) return count_groups(halves[0], true) == 8;
  if (halves.size() != 2) return false;
  const auto before = count_groups(halves[0], false);
  const auto after = count_groups(halves[1], true);
  return before && after && *before + *after <= 7;
}

// RFC 3986 3.2.2: unreserved, pct-encoded and sub-delims; not empty (RFC 9110 4.2.1).
bool is_host_name(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const std::string_view digits = text.substr(i + 1, 2);
      if (digits.size() < 2 || digits.find_first_not_of(kHexDigits) != digits.npos) return false;
      i += 2;
    } else if (!has("-._~!$&'()*+,;=", text[i]) && !has(kDigits, text[i]) &&
               !has(kLetters, text[i])) {
      return false;
    }
  }
  return !text.empty();
}

struct Authority {
  std::string host;
  std::string port;
};

// uri-host [ ":" port ], RFC 9110 7.2. A port is a number of five digits at most, or empty.
std::optional<Authority> read_authority(std::string_view text) {
  Authority authority;
  std::size_t host_end = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == text.npos || !is_ipv6_address(text.substr(1, bracket - 1))) return std::nullopt;
    host_end = bracket + 1 == text.size() ? text.npos : bracket + 1;
  } else if (!is_host_name(text.substr(0, host_end))) {
    return std::nullopt;
  }
  authority.host = text.substr(0, host_end);
  if (host_end == text.npos) return authority;
  if (text[host_end] != ':') return std::nullopt;
  authority.port = text.substr(host_end + 1);
  if (authority.port.empty()) return authority;
  if (!is_number(authority.port) || authority.port.size() > 5) return std::nullopt;
  return std::stoi(authority.port) <= 65535 ? std::optional(authority) : std::nullopt;
}

// The lines of a head without their ends; the empty line is not among them.
struct Lines {
  enum class End : std::uint8_t { missing, empty_line, bare_lf };
  std::vector<std::string> lines;  // the last one was not ended properly if the end is bare_lf
  End end = End::missing;
  std::size_t bytes = 0;  // up to and with the end
};

Lines cut_lines(std::string_view bytes, std::size_t start) {
  Lines result;
  for (;;) {
    const std::size_t lf = bytes.find('\n', start);
    if (lf == bytes.npos) return result;
    const std::string_view line = bytes.substr(start, lf - start);
    start = result.bytes = lf + 1;
    if (line == "\r") {
      result.end = Lines::End::empty_line;
      return result;
    }
    const bool is_proper = line.ends_with('\r');
    result.lines.emplace_back(line.substr(0, line.size() - (is_proper ? 1 : 0)));
    if (!is_proper) {
      result.end = Lines::End::bare_lf;
      return result;
    }
  }
}

// "HTTP/1.1" or "HTTP/1.0" at the beginning of a text. Returns the status of the refusal, or 0.
int read_version(std::string_view text, Head& head) {
  const bool is_version = text.size() >= 8 && text.starts_with("HTTP/") && has(kDigits, text[5]) &&
                          text[6] == '.' && has(kDigits, text[7]);
  if (!is_version) return 400;
  if (text[5] != '1' || text[7] > '1') return 505;
  head.minor_version = text[7] - '0';
  return 0;
}

void set_path_and_query(std::string_view text, Head& head) {
  const std::size_t mark = text.find('?');
  head.path = text.substr(0, mark);
  if (mark != text.npos) head.query = text.substr(mark + 1);
}

// RFC 9112 3.2.
int read_target(Head& head) {
  const std::string& target = head.target;
  if (head.method == "CONNECT") {
    const auto authority = read_authority(target);
    head.authority = target;
    return authority && !authority->port.empty() ? 0 : 400;
  }
  if (target.starts_with('/')) {
    set_path_and_query(target, head);
    return 0;
  }
  if (target == "*") {
    head.path = "*";
    return head.method == "OPTIONS" ? 0 : 400;
  }
  const std::size_t slashes = target.find("://");
  if (slashes == std::string::npos) return 400;
  const std::string scheme = lower(target.substr(0, slashes));
  if (scheme != "http" && scheme != "https") return 400;
  const std::string rest = target.substr(slashes + 3);
  head.authority = rest.substr(0, rest.find_first_of("/?"));
  if (!read_authority(head.authority)) return 400;
  set_path_and_query(std::string_view(rest).substr(head.authority.size()), head);
  const bool asks_the_server = head.method == "OPTIONS" && !head.query;
  if (head.path.empty()) head.path = asks_the_server ? "*" : "/";
  return 0;
}

// method SP request-target SP HTTP-version, RFC 9112 3. The method is known to be good.
int read_request_line(const std::string& line, Head& head) {
  const std::size_t first = line.find(' ');
  if (first == std::string::npos) return 400;
  head.method = line.substr(0, first);
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string::npos) return 400;
  head.target = line.substr(first + 1, second - first - 1);
  if (head.target.empty() || !all(head.target, is_visible) || has(head.target, '#')) return 400;
  const std::string version = line.substr(second + 1);
  if (const int refusal = read_version(version, head); refusal != 0) return refusal;
  return version.size() == 8 ? 0 : 400;
}

// HTTP-version SP status-code [ SP reason-phrase ], RFC 9112 4.
bool read_status_line(const std::string& line, Head& head) {
  if (read_version(line, head) != 0) return false;
  const std::string rest = line.substr(8);
  if (rest.size() < 4 || rest[0] != ' ' || !is_number(rest.substr(1, 3))) return false;
  head.status = std::stoi(rest.substr(1, 3));
  if (head.status < 100 || head.status > 599) return false;
  if (rest.size() > 4 && rest[4] != ' ') return false;
  if (rest.size() > 4) head.reason = rest.substr(5);
  return all(head.reason, is_value_character);
}

// field-name ":" OWS field-value OWS, RFC 9112 5.
bool read_field_line(const std::string& line, Field& field) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos) return false;
  field.name = line.substr(0, colon);
  field.value = trim(line.substr(colon + 1));
  return is_token(field.name) && all(field.value, is_value_character);
}

std::vector<std::string> values(const Head& head, std::string_view name) {
  std::vector<std::string> result;
  for (const Field& field : head.fields) {
    if (lower(field.name) == name) result.push_back(field.value);
  }
  return result;
}

// Returns the status of the refusal, or 0.
int read_fields(const Lines& head_lines, std::size_t fields_max, Head& head) {
  for (std::size_t i = 1; i < head_lines.lines.size(); ++i) {
    const bool is_last = i + 1 == head_lines.lines.size();
    if (head.fields.size() == fields_max) return 431;
    Field field;
    if (!read_field_line(head_lines.lines[i], field)) return 400;
    if (is_last && head_lines.end == Lines::End::bare_lf) return 400;
    head.fields.push_back(field);
    if (values(head, "content-length").size() > 1) return 400;
    if (values(head, "transfer-encoding").size() > 1) return 400;
  }
  return 0;
}

// RFC 9112 3.2.
int judge_host(Head& head) {
  const std::vector<std::string> hosts = values(head, "host");
  if (hosts.empty()) return head.minor_version == 0 ? 0 : 400;
  if (hosts.size() > 1 || !read_authority(hosts[0])) return 400;
  if (head.authority.empty()) head.authority = hosts[0];
  return 0;
}

// RFC 9112 6.1, 6.2 and 6.3.
int judge_framing(Head& head) {
  const std::vector<std::string> lengths = values(head, "content-length");
  const std::vector<std::string> encodings = values(head, "transfer-encoding");
  if (!encodings.empty()) {
    if (!lengths.empty() || head.minor_version == 0) return 400;
    head.framing = Framing::chunked;
    if (lower(encodings[0]) == "chunked") return 0;
    const std::vector<std::string> codings = members(encodings[0]);
    const bool ends_in_chunked =
        !codings.empty() && lower(trim(split(codings.back(), ";")[0])) == "chunked";
    return ends_in_chunked ? 501 : 400;
  }
  if (lengths.empty()) return 0;
  head.framing = Framing::length;
  if (!is_number(lengths[0])) return 400;
  std::string digits = lengths[0];
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  const std::string largest = "9223372036854775807";
  if (digits.size() > largest.size()) return 400;
  if (digits.size() == largest.size() && digits > largest) return 400;
  head.length = std::stoull(digits);
  return 0;
}

// RFC 9110 7.6.1 and RFC 9112 9.3.
int judge_connection(Head& head) {
  std::vector<std::string> options;
  for (const std::string& list : values(head, "connection")) {
    for (const std::string& option : members(list)) options.push_back(lower(option));
  }
  if (options.size() > kConnectionOptionsMax) return 400;
  const auto says = [&](std::string_view option) {
    return std::ranges::count(options, option) > 0;
  };
  head.persists = !says("close") && (head.minor_version == 1 || says("keep-alive"));
  for (Field& field : head.fields) {
    const std::string name = lower(field.name);
    constexpr std::string_view kNever[] = {"connection",        "content-length",   "host",
                                           "keep-alive",        "proxy-connection", "te",
                                           "transfer-encoding", "upgrade"};
    const bool is_option = name != "close" && name != "keep-alive" && says(name);
    if (is_option || std::ranges::count(kNever, name) > 0) field.passes_on = false;
  }
  return 0;
}

Head refused(int status) {
  Head head;
  head.verdict = Verdict::refused;
  head.refusal = status;
  return head;
}

// The status of the refusal of what there is of a method, or 0. A carriage return is judged when
// the byte behind it is known.
int judge_method(std::string_view rest) {
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (i == kMethodMax && is_tchar(rest[i])) return 501;
    if (is_tchar(rest[i])) continue;
    if (rest[i] == '\r' && i + 1 == rest.size()) return 0;
    return rest[i] == ' ' && i > 0 ? 0 : 400;
  }
  return 0;
}

// RFC 9112 6.3, 1. and 2.: whatever the fields say.
void apply_status(std::string_view method, Head& head) {
  const bool has_none =
      head.status < 200 || head.status == 204 || (method == "CONNECT" && head.status < 300);
  const bool tells_of_another = method == "HEAD" || head.status == 304;
  if (has_none || tells_of_another) {
    head.framing = Framing::none;
    head.length = 0;
  } else if (head.framing == Framing::none) {
    head.framing = Framing::until_close;
    head.persists = false;
  }
  if (has_none || !tells_of_another) return;
  for (Field& field : head.fields) {
    if (lower(field.name) == "content-length") field.passes_on = true;
  }
}

// The bytes of one body in the order of the grammar. A read says no when the bytes are used up, or
// are not what must come.
class BodyReader {
 public:
  explicit BodyReader(std::string_view bytes) : bytes_(bytes) {}

  Body read() {
    while (read_chunk()) {
    }
    if (body_.verdict != Verdict::refused && is_last_ && read_trailers()) {
      body_.verdict = Verdict::accepted;
      body_.bytes = at_;
    }
    return body_;
  }

 private:
  bool is_at_end() const { return at_ == bytes_.size(); }

  bool refuse() {
    body_.verdict = Verdict::refused;
    return false;
  }

  bool take(char wanted) {
    if (is_at_end()) return false;
    return bytes_[at_++] == wanted || refuse();
  }

  // chunk-size [ chunk-ext ] CRLF chunk-data CRLF, or last-chunk, behind which this says no.
  bool read_chunk() {
    std::string digits;
    while (!is_at_end() && has(kHexDigits, bytes_[at_])) {
      if (digits.size() == kChunkSizeDigitsMax) return refuse();
      digits += bytes_[at_++];
    }
    if (is_at_end()) return false;
    if (digits.empty()) return refuse();
    if (bytes_[at_] != '\r' && !read_extensions()) return false;
    if (!take('\r') || !take('\n')) return false;
    const std::uint64_t size = std::stoull(digits, nullptr, 16);
    is_last_ = size == 0;
    if (is_last_) return false;
    for (std::uint64_t i = 0; i < size; ++i) {
      if (is_at_end()) return false;
      body_.data += bytes_[at_++];
    }
    return take('\r') && take('\n');
  }

  // One more byte of an extension; its length is judged when there is a byte behind it.
  bool is_next_of_extension() {
    if (is_at_end()) return false;
    const std::size_t length = at_ - extension_at_;
    return (length <= kChunkExtensionMax && extension_bytes_ + length <= kExtensionsMax) ||
           refuse();
  }

  bool skip_white_space() {
    while (is_next_of_extension() && is_space(bytes_[at_])) ++at_;
    return is_next_of_extension();
  }

  bool read_token() {
    if (!is_next_of_extension()) return false;
    if (!is_tchar(bytes_[at_])) return refuse();
    while (is_next_of_extension() && is_tchar(bytes_[at_])) ++at_;
    return is_next_of_extension();
  }

  // DQUOTE *( qdtext / quoted-pair ) DQUOTE, RFC 9110 5.6.4.
  bool read_quoted_string() {
    ++at_;
    while (is_next_of_extension() && bytes_[at_] != '"') {
      if (bytes_[at_] == '\\') {
        ++at_;
        if (!is_next_of_extension()) return false;
      }
      if (!is_value_character(bytes_[at_])) return refuse();
      ++at_;
    }
    if (!is_next_of_extension()) return false;
    ++at_;
    return is_next_of_extension();
  }

  // *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), RFC 9112 7.1.1; up to the CR.
  bool read_extensions() {
    extension_at_ = at_;
    do {
      if (!read_extension()) return false;
    } while (bytes_[at_] != '\r');
    extension_bytes_ += at_ - extension_at_;
    return true;
  }

  bool read_extension() {
    if (!skip_white_space() || !take(';')) return false;
    if (!skip_white_space() || !read_token()) return false;
    // White space here belongs to what follows, which is no end of the line.
    const std::size_t name_end = at_;
    if (!skip_white_space()) return false;
    if (bytes_[at_] == '=') {
      ++at_;
      if (!skip_white_space()) return false;
      return bytes_[at_] == '"' ? read_quoted_string() : read_token();
    }
    return bytes_[at_] != '\r' || at_ == name_end || refuse();
  }

  // *( field-line CRLF ) CRLF, RFC 9112 7.1.2. A field line is judged a byte at a time.
  bool read_trailers() {
    for (;;) {
      if (is_at_end()) return false;
      if (bytes_[at_] == '\r') return take_of_trailers('\r') && take_of_trailers('\n');
      const std::size_t name_at = at_;
      while (!is_at_end() && is_tchar(bytes_[at_])) {
        if (!take_of_trailers(bytes_[at_])) return false;
      }
      if (at_ == name_at) return refuse();
      if (!take_of_trailers(':')) return false;
      while (!is_at_end() && is_value_character(bytes_[at_])) {
        if (!take_of_trailers(bytes_[at_])) return false;
      }
      if (!take_of_trailers('\r') || !take_of_trailers('\n')) return false;
    }
  }

  bool take_of_trailers(char wanted) {
    if (is_at_end()) return false;
    if (wanted != '\n' && ++trailer_bytes_ > kTrailersMax) return refuse();
    if (!take(wanted)) return false;
    body_.trailers += wanted;
    return true;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::size_t extension_at_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;  // line feeds do not count
  bool is_last_ = false;
  Body body_;
};

}  // namespace

Head read_request(std::string_view bytes, const Limits& limits) {
  std::size_t start = 0;
  for (std::size_t lines = 0; lines < kEmptyLinesMax; ++lines) {
    if (bytes.substr(start, 2) == "\r\n") start += 2;
  }
  if (const int refusal = judge_method(bytes.substr(start)); refusal != 0) return refused(refusal);
  const Lines lines = cut_lines(bytes.substr(0, limits.head_bytes), start);
  Head head;
  if (lines.end == Lines::End::missing) {
    if (bytes.size() < limits.head_bytes) return head;
    return refused(lines.lines.empty() ? 414 : 431);
  }
  int refusal = read_request_line(lines.lines[0], head);
  if (refusal == 0 && lines.lines.size() == 1 && lines.end == Lines::End::bare_lf) refusal = 400;
  if (refusal == 0) refusal = read_target(head);
  if (refusal == 0) refusal = read_fields(lines, limits.fields, head);
  if (refusal == 0) refusal = judge_host(head);
  if (refusal == 0) refusal = judge_framing(head);
  if (refusal == 0) refusal = judge_connection(head);
  if (refusal != 0) return refused(refusal);
  head.verdict = Verdict::accepted;
  head.bytes = lines.bytes;
  return head;
}

Head read_response(std::string_view bytes, const Limits& limits, std::string_view method) {
  constexpr std::string_view kStart = "HTTP/";
  if (bytes.substr(0, kStart.size()) != kStart.substr(0, bytes.size())) return refused(502);
  const Lines lines = cut_lines(bytes.substr(0, limits.head_bytes), 0);
  Head head;
  if (lines.end == Lines::End::missing) {
    return bytes.size() < limits.head_bytes ? head : refused(502);
  }
  const bool is_good = lines.end == Lines::End::empty_line &&
                       read_status_line(lines.lines[0], head) &&
                       read_fields(lines, limits.fields, head) == 0 && judge_framing(head) == 0 &&
                       judge_connection(head) == 0;
  if (!is_good) return refused(502);
  apply_status(method, head);
  head.verdict = Verdict::accepted;
  head.bytes = lines.bytes;
  return head;
}

Body read_chunks(std::string_view bytes) { return BodyReader(bytes).read(); }

}  // namespace weir::plain
