#include "net/address.h"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstddef>

namespace weir::net {
namespace {

bool parse_port(std::string_view text, std::uint16_t& port) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && at == end && !text.empty();
}

enum class Port : bool { optional, required };

// Splits HOST:PORT. False: the form is wrong.
bool split(std::string_view text, Port needed, std::string_view& host, std::uint16_t& port) {
  port = 0;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    host = text.substr(1, close - 1);
    if (!host.contains(':')) return false;  // brackets are for IPv6
    const std::string_view rest = text.substr(close + 1);
    if (rest.empty()) return needed == Port::optional;
    return rest.starts_with(':') && parse_port(rest.substr(1), port);
  }
  const std::size_t colon = text.find(':');
  host = text.substr(0, colon);
  if (colon == std::string_view::npos) return needed == Port::optional;
  return parse_port(text.substr(colon + 1), port);
}

// Each request has its client's address written at least once, and inet_ntop() formats by printf().
std::string_view format_ipv4(const void* bytes, std::span<char> out) noexcept {
  std::array<std::uint8_t, 4> octets;
  std::memcpy(octets.data(), bytes, octets.size());
  char* at = out.data();
  for (const std::uint8_t octet : octets) {
    if (at != out.data()) *at++ = '.';
    at = std::to_chars(at, out.data() + out.size(), octet).ptr;
  }
  return {out.data(), static_cast<std::size_t>(at - out.data())};
}

}  // namespace

Address::Address() noexcept : storage_{}, length_(sizeof(sockaddr_in)) {
  storage_.v4.sin_family = AF_INET;
}

Address::Address(const sockaddr_storage& address) noexcept : storage_{} {
  switch (address.ss_family) {
    case AF_INET6:
      length_ = sizeof(sockaddr_in6);
      break;
    case AF_UNIX:
      length_ = sizeof(sockaddr_un);
      break;
    default:
      length_ = sizeof(sockaddr_in);
  }
  std::memcpy(&storage_, &address, length_);
}

std::expected<Address, std::string> Address::parse_ip(std::string_view host, std::uint16_t port) {
  if (host.contains('\0')) return std::unexpected(std::string());
  Address address;
  const std::string terminated(host);
  if (inet_pton(AF_INET, terminated.c_str(), &address.storage_.v4.sin_addr) == 1) {
    address.storage_.v4.sin_port = htons(port);
    return address;
  }
  address.storage_.v6 = {};
  address.storage_.v6.sin6_family = AF_INET6;
  address.length_ = sizeof(sockaddr_in6);
  if (!host.empty() &&
      inet_pton(AF_INET6, terminated.c_str(), &address.storage_.v6.sin6_addr) != 1) {
    return std::unexpected(std::string());
  }
  address.storage_.v6.sin6_port = htons(port);
  return address;
}

std::expected<Address, std::string> Address::parse(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) {
    const std::string_view path = text.substr(kUnix.size());
    Address address;
    address.storage_.unix_path = {};
    address.storage_.unix_path.sun_family = AF_UNIX;
    if (path.contains('\0')) return std::unexpected(std::string());
    if (path.empty() || path.size() >= sizeof address.storage_.unix_path.sun_path) {
      return std::unexpected("the path of a unix socket has 1 to " +
                             std::to_string(sizeof address.storage_.unix_path.sun_path - 1) +
                             " bytes");
    }
    std::memcpy(address.storage_.unix_path.sun_path, path.data(), path.size());
    address.length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
  }
  std::string_view host;
  std::uint16_t port;
  if (!split(text, Port::required, host, port)) return std::unexpected(std::string());
  return parse_ip(host, port);
}

std::expected<Address, std::string> Address::parse_with_optional_port(std::string_view text) {
  std::string_view host;
  std::uint16_t port;
  if (text.starts_with("unix:") || !split(text, Port::optional, host, port) || host.empty()) {
    return parse(text);
  }
  return parse_ip(host, port);
}

std::uint16_t Address::port() const noexcept {
  if (family() == AF_INET) return ntohs(storage_.v4.sin_port);
  return family() == AF_INET6 ? ntohs(storage_.v6.sin6_port) : 0;
}

bool Address::is_wildcard() const noexcept {
  if (family() == AF_INET) return storage_.v4.sin_addr.s_addr == INADDR_ANY;
  return family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&storage_.v6.sin6_addr);
}

void Address::set_port(std::uint16_t port) noexcept {
  if (family() == AF_INET) storage_.v4.sin_port = htons(port);
  if (family() == AF_INET6) storage_.v6.sin6_port = htons(port);
}

sockaddr_storage Address::storage() const noexcept {
  sockaddr_storage storage{};
  std::memcpy(&storage, &storage_, length_);
  return storage;
}

std::string_view Address::format_ip(std::span<char, INET6_ADDRSTRLEN> out) const noexcept {
  return PeerAddress(*this).format_ip(out);
}

std::string Address::to_string() const {
  if (is_unix()) return std::string("unix:") + storage_.unix_path.sun_path;
  char text[INET6_ADDRSTRLEN];
  const std::string_view ip = format_ip(text);
  const bool bracketed = ip.find(':') != std::string_view::npos;
  return (bracketed ? "[" : "") + std::string(ip) + (bracketed ? "]:" : ":") +
         std::to_string(port());
}

PeerAddress::PeerAddress(const sockaddr_storage& address) noexcept : storage_{} {
  const bool is_ip = address.ss_family == AF_INET || address.ss_family == AF_INET6;
  if (is_ip) {
    std::memcpy(&storage_, &address, sizeof storage_);
  } else {
    storage_.base.sa_family = address.ss_family;
  }
}

std::uint16_t PeerAddress::port() const noexcept {
  if (family() == AF_INET) return ntohs(storage_.v4.sin_port);
  return family() == AF_INET6 ? ntohs(storage_.v6.sin6_port) : 0;
}

sockaddr_storage PeerAddress::storage() const noexcept {
  sockaddr_storage storage{};
  std::memcpy(&storage, &storage_, sizeof storage_);
  return storage;
}

std::string_view PeerAddress::format_ip(std::span<char, INET6_ADDRSTRLEN> out) const noexcept {
  if (family() == AF_UNIX) return "unix";
  if (family() == AF_INET) return format_ipv4(&storage_.v4.sin_addr, out);
  const in6_addr& ip = storage_.v6.sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) return format_ipv4(&ip.s6_addr[12], out);
  inet_ntop(AF_INET6, &ip, out.data(), out.size());
  return out.data();
}

std::expected<void, std::string> parse_scalar(std::string_view text, Address& out) {
  auto address = Address::parse(text);
  if (!address) return std::unexpected(address.error());
  out = *address;
  return {};
}

std::string print_scalar(const Address& address) { return address.to_string(); }

PeerAddress first_of_subnet(const PeerAddress& address) noexcept {
  sockaddr_storage storage = address.storage();
  if (address.family() == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_addr.s_addr &= htonl(0xffffff00);
  } else if (address.family() == AF_INET6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage).sin6_addr;
    // An IPv4 client of a socket of both families.
    const std::size_t kept = IN6_IS_ADDR_V4MAPPED(&v6) ? 15 : 8;
    std::memset(v6.s6_addr + kept, 0, sizeof v6.s6_addr - kept);
  }
  return PeerAddress(storage);
}

}  // namespace weir::net
