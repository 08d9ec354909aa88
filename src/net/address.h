#pragma once
// Address: where a socket listens or connects to: IPv4, IPv6 or a unix socket.

#include <cstdint>
#include <cstring>
#include <expected>
#include <netinet/in.h>
#include <span>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/assert.h"
#include "config/scalars.h"
#include "runtime/reactor.h"

namespace weir::net {

class Address {
 public:
  // The unspecified IPv4 address, port 0.
  Address() noexcept;
  explicit Address(const sockaddr_storage& address) noexcept;

  // Accepts 10.0.0.1:80, [::1]:80, :80 (every IPv4 and IPv6 address), unix:/run/x.sock. Host names
  // are not addresses (net/server_address.h). The error, which may be empty, adds to "expected an
  // address".
  static std::expected<Address, std::string> parse(std::string_view text);
  // The same where the port may be left out: then it is 0 (10.0.0.1, [::1]).
  static std::expected<Address, std::string> parse_with_optional_port(std::string_view text);

  int family() const noexcept { return storage_.base.sa_family; }
  // 0.0.0.0 or [::].
  bool is_wildcard() const noexcept;
  bool is_unix() const noexcept { return family() == AF_UNIX; }
  // 0 for a unix socket.
  std::uint16_t port() const noexcept;
  void set_port(std::uint16_t port) noexcept;
  SocketAddressView view() const noexcept WEIR_LIFETIMEBOUND { return {&storage_.base, length_}; }
  sockaddr_storage storage() const noexcept;

  // 10.0.0.1:80, [::1]:80, unix:/run/x.sock; what parse() reads.
  std::string to_string() const;
  // As PeerAddress does.
  std::string_view format_ip(std::span<char, INET6_ADDRSTRLEN> out) const noexcept;

  friend bool operator==(const Address& a, const Address& b) noexcept {
    return a.length_ == b.length_ && std::memcmp(&a.storage_, &b.storage_, a.length_) == 0;
  }

 private:
  static std::expected<Address, std::string> parse_ip(std::string_view host, std::uint16_t port);
  union Storage {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un unix_path;
  } storage_;
  socklen_t length_;
};

// Who is at the other end of a connection: an IP address and a port, or somebody at a unix socket,
// whose path is left out. Small, since there is one for every connection.
class PeerAddress {
 public:
  explicit PeerAddress(const sockaddr_storage& address) noexcept;
  PeerAddress(const Address& address) noexcept : PeerAddress(address.storage()) {}

  int family() const noexcept { return storage_.base.sa_family; }
  bool is_unix() const noexcept { return family() == AF_UNIX; }
  // 0 for a unix socket.
  std::uint16_t port() const noexcept;
  sockaddr_storage storage() const noexcept;
  // The IP alone, as logs show it; "unix" for a unix socket. Written to `out` without allocating.
  std::string_view format_ip(std::span<char, INET6_ADDRSTRLEN> out) const noexcept;

 private:
  union Storage {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } storage_;
};

// The address with its last 8 bits zero, 64 of an IPv6 one. Not of a unix socket.
PeerAddress first_of_subnet(const PeerAddress& address) noexcept;

// For the configuration reader (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, Address& out);
std::string print_scalar(const Address& address);
constexpr config::ScalarInfo scalar_info(std::type_identity<Address>) {
  return {"an address", "127.0.0.1:8080, [::1]:8080, :8080 or unix:/run/weir.sock",
          R"("type": "string")", config::Quotes::allowed};
}

}  // namespace weir::net
