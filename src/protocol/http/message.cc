#include "protocol/http/message.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace weir::http {
namespace {

constexpr unsigned fold(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte - 'A' < 26U ? byte | 0x20U : byte;
}

[[gnu::always_inline]] inline std::uint64_t load(const char* at, std::size_t bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, bytes);
  return word;
}

// `lower` is a constant of the same length, of small letters and '-'. Setting bit 5 folds exactly
// the capitals onto small letters; a '-' must not be folded, or CR would equal it: bit 6 tells them
// apart. Inlined, so that the constant becomes a few wide compares; the last overlaps its
// predecessor.
[[gnu::always_inline]] inline bool is_name(std::string_view name, std::string_view lower) noexcept {
  constexpr std::uint64_t kBit6 = 0x4040404040404040;
  const std::size_t step = lower.size() >= 8 ? 8 : lower.size() >= 4 ? 4 : 1;
  std::uint64_t different = 0;
  for (std::size_t i = 0; i < lower.size(); i += step) {
    const std::size_t at = std::min(i, lower.size() - step);
    const std::uint64_t wanted = load(lower.data() + at, step);
    different |= (load(name.data() + at, step) | (wanted & kBit6) >> 1) ^ wanted;
  }
  return different == 0;
}

[[gnu::always_inline]] inline FieldId id_if(bool same, FieldId id) noexcept {
  return same ? id : FieldId::other;
}

struct Reason {
  std::uint16_t status;
  std::string_view phrase;
};

// The IANA registry of status codes, 2025; ordered by status.
constexpr Reason kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};
static_assert(std::ranges::is_sorted(kReasons, {}, &Reason::status));

}  // namespace

FieldId find_field_id(std::string_view name) noexcept {
  using enum FieldId;
  switch (name.size()) {
    case 2:
      return id_if(is_name(name, "te"), te);
    case 3:
      return id_if(is_name(name, "via"), via);
    case 4:
      if (is_name(name, "host")) return host;
      return id_if(is_name(name, "date"), date);
    case 6:
      if (is_name(name, "cookie")) return cookie;
      if (is_name(name, "server")) return server;
      return id_if(is_name(name, "expect"), expect);
    case 7:
      if (is_name(name, "referer")) return referer;
      if (is_name(name, "upgrade")) return upgrade;
      return id_if(is_name(name, "trailer"), trailer);
    case 9:
      if (is_name(name, "x-real-ip")) return x_real_ip;
      return id_if(is_name(name, "forwarded"), forwarded);
    case 10:
      if (is_name(name, "connection")) return connection;
      if (is_name(name, "user-agent")) return user_agent;
      return id_if(is_name(name, "keep-alive"), keep_alive);
    case 12:
      if (is_name(name, "max-forwards")) return max_forwards;
      return id_if(is_name(name, "content-type"), content_type);
    case 14:
      return id_if(is_name(name, "content-length"), content_length);
    case 15:
      return id_if(is_name(name, "x-forwarded-for"), x_forwarded_for);
    case 16:
      if (is_name(name, "x-forwarded-host")) return x_forwarded_host;
      if (is_name(name, "x-forwarded-port")) return x_forwarded_port;
      return id_if(is_name(name, "proxy-connection"), proxy_connection);
    case 17:
      if (is_name(name, "transfer-encoding")) return transfer_encoding;
      return id_if(is_name(name, "x-forwarded-proto"), x_forwarded_proto);
    default:
      return other;
  }
}

Method find_method(std::string_view text) noexcept {
  using enum Method;
  switch (text.size()) {
    case 3:
      if (text == "GET") return get;
      return text == "PUT" ? put : other;
    case 4:
      if (text == "POST") return post;
      return text == "HEAD" ? head : other;
    case 5:
      if (text == "PATCH") return patch;
      return text == "TRACE" ? trace : other;
    case 6:
      return text == "DELETE" ? delete_ : other;
    case 7:
      if (text == "OPTIONS") return options;
      return text == "CONNECT" ? connect : other;
    default:
      return other;
  }
}

std::string_view reason_phrase(std::uint16_t status) noexcept {
  const Reason* found = std::ranges::lower_bound(kReasons, status, {}, &Reason::status);
  return found != std::end(kReasons) && found->status == status ? found->phrase
                                                                : std::string_view{};
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return fold(x) == fold(y); });
}

const Field* FieldList::find(std::string_view name) const noexcept {
  for (const Field& field : *this) {
    if (equals_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

}  // namespace weir::http
