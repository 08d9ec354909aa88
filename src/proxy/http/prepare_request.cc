#include "proxy/http/prepare_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "protocol/http/forwarded.h"
#include "protocol/ip_address.h"
#include "proxy/http/answer.h"

namespace weir::proxy {
namespace {

using http::Field;
using http::FieldId;
using http::Scope;

constexpr std::string_view kScheme = "http";
constexpr std::size_t kRequestIdBytesMax = 128;

enum class Sender : std::uint8_t { anybody, trusted_proxy };

// Of parts, in the arena; data() is null if there is no room.
std::string_view join(Arena& arena, std::initializer_list<std::string_view> parts) noexcept {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  const std::span<char> space = arena.allocate_array<char>(size);
  if (space.data() == nullptr) return {};
  char* end = space.data();
  for (const std::string_view part : parts) end = std::ranges::copy(part, end).out;
  return {space.data(), size};
}

bool is_of_client(FieldId id) noexcept {
  switch (id) {
    case FieldId::forwarded:
    case FieldId::x_forwarded_for:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_port:
    case FieldId::x_forwarded_proto:
    case FieldId::x_real_ip:
      return true;
    default:
      return false;
  }
}

bool is_trusted(const void* context, const sockaddr_storage& address) noexcept {
  return static_cast<const net::CidrSet*>(context)->contains(net::PeerAddress(address));
}

// Writes the fields that servers are told the client by.
class ClientFields {
 public:
  ClientFields(Exchange& x, Sender sender) noexcept
      : x_(x), sender_(sender), peer_(x.connection.peer.format_ip(peer_text_)) {}

  // False: there is no room.
  bool write() noexcept {
    if (sender_ == Sender::anybody) {
      remove_all();
    } else {
      believe();
    }
    return std::ranges::all_of(x_.listener.forwarded.write,
                               [this](ClientField kind) { return write(kind); });
  }

 private:
  void remove_all() noexcept {
    for (Field& field : x_.request.fields) {
      if (is_of_client(field.id)) field = http::kRemovedField;
    }
  }
  void believe() noexcept {
    const auto found = find_client(x_.request.fields, x_.listener);
    if (!found) return;
    const net::PeerAddress* const client = x_.arena.make<net::PeerAddress>(*found);
    if (client != nullptr) x_.client_address = client;
  }
  bool write(ClientField kind) noexcept {
    switch (kind) {
      case ClientField::x_forwarded_for:
        return x_.connection.peer.is_unix() ||
               append("X-Forwarded-For", FieldId::x_forwarded_for, x_.arena.copy(peer_));
      case ClientField::x_forwarded_proto:
        return add_unless_said("X-Forwarded-Proto", FieldId::x_forwarded_proto, kScheme);
      case ClientField::x_forwarded_host:
        return x_.request.authority.empty() ||
               add_unless_said("X-Forwarded-Host", FieldId::x_forwarded_host, x_.request.authority);
      case ClientField::x_forwarded_port:
        return add_unless_said("X-Forwarded-Port", FieldId::x_forwarded_port, print_port());
      case ClientField::x_real_ip:
        return write_real_ip();
      case ClientField::forwarded:
        return append("Forwarded", FieldId::forwarded, print_hop());
    }
    return true;
  }
  // Behind what trusted proxies said, in one field.
  bool append(std::string_view name, FieldId id, std::string_view value) noexcept {
    if (value.data() == nullptr) return false;
    if (sender_ == Sender::trusted_proxy) {
      for (Field& field : x_.request.fields) {
        if (field.id != id || field.scope == Scope::hop_by_hop) continue;
        const std::string_view said = std::exchange(field, http::kRemovedField).value;
        if (said.empty()) continue;
        said_ = said_.empty() ? said : join(x_.arena, {said_, ", ", said});
        if (said_.data() == nullptr) return false;
      }
      if (!said_.empty()) value = join(x_.arena, {said_, ", ", value});
      said_ = {};
    }
    return value.data() != nullptr && add(name, id, value);
  }
  bool add_unless_said(std::string_view name, FieldId id, std::string_view value) noexcept {
    if (value.data() == nullptr) return false;
    const auto says = [id](const Field& field) {
      return field.id == id && field.scope == Scope::end_to_end;
    };
    const bool is_said =
        sender_ == Sender::trusted_proxy && std::ranges::any_of(x_.request.fields, says);
    return is_said || add(name, id, value);
  }
  bool write_real_ip() noexcept {
    for (Field& field : x_.request.fields) {
      if (field.id == FieldId::x_real_ip) field = http::kRemovedField;
    }
    if (x_.client_address->is_unix()) return true;
    std::array<char, INET6_ADDRSTRLEN> text;
    const std::string_view ip = x_.arena.copy(x_.client_address->format_ip(text));
    return ip.data() != nullptr && add("X-Real-IP", FieldId::x_real_ip, ip);
  }
  std::string_view print_port() noexcept {
    std::array<char, 5> text;
    const std::uint16_t port = x_.connection.listener->port();
    const auto end = std::to_chars(text.begin(), text.end(), port).ptr;
    return x_.arena.copy({text.data(), static_cast<std::size_t>(end - text.data())});
  }
  std::string_view print_hop() noexcept {
    const http::ForwardedHop hop{.client = protocol::unmap_ipv4(x_.connection.peer.storage()),
                                 .host = x_.request.authority,
                                 .proto = kScheme};
    const std::size_t room = 256 + 2 * hop.host.size();
    const std::span<char> space = x_.arena.allocate_array<char>(room);
    const auto written = http::write_forwarded_element(space, hop);
    return written ? std::string_view(space.data(), *written) : std::string_view();
  }
  bool add(std::string_view name, FieldId id, std::string_view value) noexcept {
    return add_field(x_, x_.request.fields, {.name = name, .value = value, .id = id});
  }

  Exchange& x_;
  Sender sender_;
  std::array<char, INET6_ADDRSTRLEN> peer_text_;
  std::string_view peer_;
  std::string_view said_;
};

// RFC 9110 7.6.3: "1.1 weir1", a comment behind it maybe.
bool names(std::string_view via, std::string_view pseudonym) noexcept {
  http::ListReader members(via);
  while (const auto member = members.next()) {
    std::string_view rest = member->substr(std::min(member->find_first_of(" \t"), member->size()));
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    const std::string_view by = rest.substr(0, rest.find_first_of(" \t"));
    if (http::equals_ignoring_case(by, pseudonym)) return true;
  }
  return false;
}

bool has_looped(const Exchange& x) noexcept {
  if (x.listener.via.empty()) return false;
  return std::ranges::any_of(x.request.fields, [&x](const Field& field) {
    return field.id == FieldId::via && names(field.value, x.listener.via);
  });
}

// 0: the request is for Weir itself. Another value becomes one less; what is no number passes.
bool has_arrived(Exchange& x) noexcept {
  if (x.request.method != http::Method::options) return false;
  for (Field& field : x.request.fields) {
    if (field.id != FieldId::max_forwards) continue;
    std::uint32_t left = 0;
    const char* const end = field.value.data() + field.value.size();
    const auto read = std::from_chars(field.value.data(), end, left);
    if (read.ec != std::errc() || read.ptr != end) return false;
    if (left == 0) return true;
    std::array<char, 10> text;
    const auto printed = std::to_chars(text.begin(), text.end(), left - 1);
    const std::string_view less =
        x.arena.copy({text.data(), static_cast<std::size_t>(printed.ptr - text.data())});
    if (less.data() != nullptr) field.value = less;
    return false;
  }
  return false;
}

bool is_request_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kRequestIdBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '"'; });
}

std::string_view make_request_id(Exchange& x) noexcept {
  const std::span<char> space = x.arena.allocate_array<char>(32);
  for (std::size_t i = 0; i < space.size(); i += 16) {
    std::uint64_t random = x.proxy.worker().random().next();
    for (std::size_t digit = 0; digit < 16; ++digit, random >>= 4) {
      space[i + digit] = "0123456789abcdef"[random & 15];
    }
  }
  return {space.data(), space.size()};
}

// Kept if a trusted proxy gave it.
bool write_request_id(Exchange& x, Sender sender) noexcept {
  const std::string_view name = x.listener.request_id;
  if (name.empty()) return true;
  for (Field& field : x.request.fields) {
    if (!http::equals_ignoring_case(field.name, name)) continue;
    const bool is_kept = sender == Sender::trusted_proxy && x.request_id.empty() &&
                         field.scope == Scope::end_to_end && is_request_id(field.value);
    if (is_kept) {
      x.request_id = field.value;
    } else {
      field = http::kRemovedField;
    }
  }
  if (!x.request_id.empty()) return true;
  x.request_id = make_request_id(x);
  return !x.request_id.empty() &&
         add_field(x, x.request.fields, {.name = name, .value = x.request_id});
}

}  // namespace

std::optional<net::PeerAddress> find_client(const http::FieldList& fields,
                                            const Listener& listener) noexcept {
  const FieldId id = listener.forwarded.read == ClientAddressField::forwarded
                         ? FieldId::forwarded
                         : FieldId::x_forwarded_for;
  const http::TrustedProxies trusted{.contains = &is_trusted, .context = &listener.trusted_proxies};
  const auto found = http::find_forwarded_client(fields, id, trusted);
  if (found.address.ss_family == AF_UNSPEC) return std::nullopt;
  return net::PeerAddress(found.address);
}

bool add_via(Exchange& x, http::FieldList& fields, http::Version received) noexcept {
  if (x.listener.via.empty()) return true;
  const std::string_view version = received == http::Version::http_1_0 ? "1.0 " : "1.1 ";
  const std::string_view value = join(x.arena, {version, x.listener.via});
  return value.data() != nullptr &&
         add_field(x, fields, {.name = "Via", .value = value, .id = FieldId::via});
}

Result<Verdict> prepare_request(Exchange& x) noexcept {
  if (has_looped(x)) return fail(ErrorKind::loop_detected, Side::client);
  if (has_arrived(x)) {
    if (set_answer(x, 200, {}, {})) return Verdict::reply;
    return fail(ErrorKind::buffers_exhausted, Side::weir);
  }
  const Sender sender = x.listener.trusted_proxies.contains(x.connection.peer)
                            ? Sender::trusted_proxy
                            : Sender::anybody;
  const bool is_written = ClientFields(x, sender).write() && write_request_id(x, sender) &&
                          add_via(x, x.request.fields, x.request.version);
  if (!is_written) return fail(ErrorKind::buffers_exhausted, Side::weir);
  return Verdict::proceed;
}

}  // namespace weir::proxy
