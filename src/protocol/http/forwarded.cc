#include "protocol/http/forwarded.h"

#include <algorithm>
#include <charconv>
#include <netinet/in.h>

#include "base/assert.h"
#include "protocol/http/characters.h"
#include "protocol/ip_address.h"

namespace weir::http {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// "[", an IPv6 address, "]:" and a port, each character of it escaped.
constexpr std::size_t kNodeBytesMax = 2 * (INET6_ADDRSTRLEN + 8);

std::string_view trim(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == kNone) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return is_in(CharacterClass::token, c); });
}

// Where the quoted-string starts that ends at `close`. A quote after an odd number of backslashes
// is one inside.
std::size_t find_opening_quote(std::string_view text, std::size_t close) noexcept {
  for (std::size_t at = text.substr(0, close).rfind('"'); at != kNone;
       at = text.substr(0, at).rfind('"')) {
    const std::size_t before = text.substr(0, at).find_last_not_of('\\');
    const std::size_t backslashes = before == kNone ? at : at - before - 1;
    if (backslashes % 2 == 0) return at;
  }
  return kNone;
}

// Where the last member of a list starts, past its comma; kNone: a quoted-string does not start.
std::size_t find_last_member(std::string_view list) noexcept {
  std::size_t at = list.size();
  while (at > 0 && list[at - 1] != ',') {
    --at;
    if (list[at] != '"') continue;
    at = find_opening_quote(list, at);
    if (at == kNone) return kNone;
  }
  return at;
}

// The length of the quoted-string that `text` starts with; 0: it does not end.
std::size_t quoted_bytes(std::string_view text) noexcept {
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\') ++at;
    if (at < text.size() && !is_in(CharacterClass::value, text[at])) return 0;
  }
  return 0;
}

std::size_t token_bytes(std::string_view text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && is_in(CharacterClass::token, text[size])) ++size;
  return size;
}

// False: the element has it already.
bool set_parameter(ForwardedElement& element, std::string_view name,
                   std::string_view value) noexcept {
  std::string_view* parameter = nullptr;
  if (equals_ignoring_case(name, "for")) parameter = &element.forwarded_for;
  if (equals_ignoring_case(name, "by")) parameter = &element.by;
  if (equals_ignoring_case(name, "host")) parameter = &element.host;
  if (equals_ignoring_case(name, "proto")) parameter = &element.proto;
  if (parameter == nullptr) return true;
  if (parameter->data() != nullptr) return false;
  *parameter = value;
  return true;
}

// RFC 7239 4: [ pair ] *( ";" [ pair ] )
bool parse_element(std::string_view text, ForwardedElement& element) noexcept {
  element = {};
  while (!text.empty()) {
    if (text.front() != ';') {
      const std::string_view name = text.substr(0, token_bytes(text));
      text.remove_prefix(name.size());
      if (name.empty() || !text.starts_with('=')) return false;
      text.remove_prefix(1);
      const bool is_quoted = text.starts_with('"');
      const std::string_view value =
          text.substr(0, is_quoted ? quoted_bytes(text) : token_bytes(text));
      if (value.empty() || !set_parameter(element, name, value)) return false;
      text = trim(text.substr(value.size()));
      if (text.empty()) return true;
      if (text.front() != ';') return false;
    }
    text = trim(text.substr(1));
  }
  return true;
}

bool is_alphanumeric(char c) noexcept {
  return characters::is_alphanumeric(static_cast<unsigned char>(c));
}

// RFC 7239 6.3: obfnode and obfport.
bool is_obfuscated(std::string_view text) noexcept {
  return text.size() > 1 && text.front() == '_' && std::ranges::all_of(text, [](char c) {
           return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
         });
}

std::optional<std::uint16_t> parse_node_port(std::string_view text) noexcept {
  return is_obfuscated(text) ? 0 : protocol::parse_port(text);
}

// The nodes of all fields with one id, from right to left.
class NodeWalk {
 public:
  enum class Status : std::uint8_t { node, end, malformed };

  NodeWalk(const FieldList& fields, FieldId id) noexcept
      : fields_(fields), id_(id), next_field_(fields.size()) {}

  // Of an element without a node, the node is unknown.
  Status next(ForwardedElement& element, ForwardedNode& node) noexcept {
    for (;;) {
      const Status status = id_ == FieldId::forwarded ? next_forwarded(element, node)
                                                      : next_x_forwarded_for(element, node);
      if (status != Status::end || !next_value()) return status;
    }
  }

 private:
  bool next_value() noexcept {
    while (next_field_ > 0) {
      const Field& field = fields_.begin()[--next_field_];
      if (field.id != id_) continue;
      forwarded_ = ForwardedReader(field.value);
      list_ = ListReader(field.value);
      return true;
    }
    return false;
  }

  Status next_forwarded(ForwardedElement& element, ForwardedNode& node) noexcept {
    const ForwardedReader::Status status = forwarded_.next(element);
    if (status == ForwardedReader::Status::end) return Status::end;
    if (status == ForwardedReader::Status::malformed) return Status::malformed;
    node = {};
    if (element.forwarded_for.data() == nullptr) return Status::node;
    char scratch[kNodeBytesMax];
    const auto text = unquote(element.forwarded_for, scratch);
    return set(text ? parse_forwarded_node(*text) : std::nullopt, node);
  }

  Status next_x_forwarded_for(ForwardedElement& element, ForwardedNode& node) noexcept {
    const auto member = list_.next();
    if (!member) return Status::end;
    element = {};
    element.forwarded_for = *member;
    return set(parse_x_forwarded_for(*member), node);
  }

  static Status set(const std::optional<ForwardedNode>& parsed, ForwardedNode& node) noexcept {
    if (!parsed) return Status::malformed;
    node = *parsed;
    return Status::node;
  }

  const FieldList& fields_;
  FieldId id_;
  std::size_t next_field_;  // those before it are left
  ForwardedReader forwarded_{{}};
  ListReader list_{{}};
};

// Appends to a span. After the first text that does not fit it takes nothing more.
class ElementWriter {
 public:
  explicit ElementWriter(std::span<char> out) noexcept : out_(out) {}

  void put(std::string_view text) noexcept {
    fits_ = fits_ && text.size() <= out_.size() - size_;
    if (fits_) size_ += text.copy(out_.data() + size_, text.size());
  }

  void put_parameter(std::string_view name) noexcept {
    if (size_ > 0) put(";");
    put(name);
    put("=");
  }

  void put_value(std::string_view text) noexcept {
    if (is_token(text)) return put(text);
    put("\"");
    for (std::size_t at = 0; at < text.size(); ++at) {
      WEIR_ASSERT(is_in(CharacterClass::value, text[at]));
      if (text[at] == '"' || text[at] == '\\') put("\\");
      put(text.substr(at, 1));
    }
    put("\"");
  }

  // RFC 7239 6: an IPv6 address is in brackets, and so in quotes.
  void put_node(const sockaddr_storage& node) noexcept {
    const sockaddr_storage address = protocol::unmap_ipv4(node);
    char text[kNodeBytesMax];
    char ip[INET6_ADDRSTRLEN];
    ElementWriter plain(text);
    plain.put(address.ss_family == AF_INET6 ? "[" : "");
    plain.put(protocol::print_ip(address, ip));
    plain.put(address.ss_family == AF_INET6 ? "]" : "");
    if (const std::uint16_t port = protocol::port_of(address); port != 0) {
      char digits[5];
      const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), port);
      WEIR_ASSERT(error == std::errc());
      plain.put(":");
      plain.put({digits, end});
    }
    WEIR_ASSERT(plain.fits_);
    put_value({text, plain.size_});
  }

  std::optional<std::size_t> result() const noexcept {
    return fits_ ? std::optional(size_) : std::nullopt;
  }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
  bool fits_ = true;
};

}  // namespace

std::optional<std::string_view> ListReader::next() noexcept {
  while (!rest_.empty()) {
    const std::size_t comma = rest_.rfind(',');
    const std::string_view member = trim(rest_.substr(comma == kNone ? 0 : comma + 1));
    rest_ = rest_.substr(0, comma == kNone ? 0 : comma);
    if (!member.empty()) return member;
  }
  return std::nullopt;
}

ForwardedReader::Status ForwardedReader::next(ForwardedElement& element) noexcept {
  while (!rest_.empty()) {
    const std::size_t start = find_last_member(rest_);
    if (start == kNone) return Status::malformed;
    const std::string_view member = trim(rest_.substr(start));
    // What is malformed stays, so that it is malformed again.
    if (!member.empty() && !parse_element(member, element)) return Status::malformed;
    rest_ = rest_.substr(0, start == 0 ? 0 : start - 1);
    if (!member.empty()) return Status::element;
  }
  return Status::end;
}

std::optional<std::string_view> unquote(std::string_view written,
                                        std::span<char> scratch) noexcept {
  if (!written.starts_with('"')) return written;
  WEIR_ASSERT(written.size() >= 2);
  const std::string_view inside = written.substr(1, written.size() - 2);
  if (!inside.contains('\\')) return inside;
  std::size_t size = 0;
  for (std::size_t at = 0; at < inside.size(); ++at) {
    if (inside[at] == '\\' && at + 1 < inside.size()) ++at;
    if (size == scratch.size()) return std::nullopt;
    scratch[size++] = inside[at];
  }
  return std::string_view(scratch.data(), size);
}

std::optional<ForwardedNode> parse_forwarded_node(std::string_view text) noexcept {
  std::string_view name = text.substr(0, text.find(':'));
  const bool is_bracketed = text.starts_with('[');
  if (is_bracketed) name = text.substr(0, text.find(']') == kNone ? 0 : text.find(']') + 1);
  std::uint16_t port = 0;
  if (name.size() < text.size()) {
    if (text[name.size()] != ':') return std::nullopt;
    const auto parsed = parse_node_port(text.substr(name.size() + 1));
    if (!parsed) return std::nullopt;
    port = *parsed;
  }
  using Kind = ForwardedNode::Kind;
  if (equals_ignoring_case(name, "unknown")) return ForwardedNode{};
  if (is_obfuscated(name)) return ForwardedNode{.kind = Kind::obfuscated};
  if (is_bracketed && name.size() > 2) name = name.substr(1, name.size() - 2);
  const auto address = protocol::parse_ip(name);
  if (!address || (address->ss_family == AF_INET6) != is_bracketed) return std::nullopt;
  return ForwardedNode{.kind = Kind::address,
                       .address = protocol::make_ip(protocol::ip_bytes(*address), port)};
}

std::optional<ForwardedNode> parse_x_forwarded_for(std::string_view text) noexcept {
  const auto address = protocol::parse_ip(text);
  if (!address) return parse_forwarded_node(text);
  return ForwardedNode{.kind = ForwardedNode::Kind::address, .address = *address};
}

bool is_uri_scheme(std::string_view text) noexcept {
  if (text.empty() || !is_alphanumeric(text.front()) || is_digit(text.front())) return false;
  return std::ranges::all_of(
      text, [](char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; });
}

ForwardedClient find_forwarded_client(const FieldList& fields, FieldId id,
                                      const TrustedProxies& trusted) noexcept {
  WEIR_ASSERT(id == FieldId::forwarded || id == FieldId::x_forwarded_for);
  ForwardedClient client;
  NodeWalk walk(fields, id);
  const auto end_as = [&client](ForwardedEnd end) noexcept {
    client.end = end;
    return client;
  };
  for (std::size_t hops = 0; hops < kForwardedHopsMax; ++hops) {
    ForwardedElement element;
    ForwardedNode node;
    const NodeWalk::Status status = walk.next(element, node);
    if (status == NodeWalk::Status::end) return end_as(ForwardedEnd::all_trusted);
    if (status == NodeWalk::Status::malformed) return end_as(ForwardedEnd::malformed);
    client.element = element;
    if (node.kind != ForwardedNode::Kind::address) return end_as(ForwardedEnd::hidden);
    client.address = node.address;
    if (!trusted.contains(trusted.context, node.address)) return end_as(ForwardedEnd::found);
  }
  return end_as(ForwardedEnd::too_many);
}

std::optional<std::size_t> write_forwarded_element(std::span<char> out,
                                                   const ForwardedHop& hop) noexcept {
  ElementWriter writer(out);
  writer.put_parameter("for");
  if (protocol::ip_bytes(hop.client).empty()) {
    writer.put("unknown");
  } else {
    writer.put_node(hop.client);
  }
  if (!protocol::ip_bytes(hop.listener).empty()) {
    writer.put_parameter("by");
    writer.put_node(hop.listener);
  }
  if (!hop.host.empty()) {
    writer.put_parameter("host");
    writer.put_value(hop.host);
  }
  if (!hop.proto.empty()) {
    WEIR_ASSERT(is_uri_scheme(hop.proto));
    writer.put_parameter("proto");
    writer.put(hop.proto);
  }
  return writer.result();
}

}  // namespace weir::http
