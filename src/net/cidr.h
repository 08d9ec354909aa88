#pragma once
// Cidr: a network of IPv4 or IPv6 addresses, as 10.0.0.0/8 (RFC 4632, RFC 4291 2.3); CidrSet: any
// number of them. An IPv4-mapped IPv6 address is the IPv4 address everywhere here, so only IPv4
// networks contain it.

#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "config/scalars.h"
#include "net/address.h"

namespace weir::net {

class Cidr {
 public:
  // 0.0.0.0/32
  Cidr() = default;

  // Accepts 10.0.0.0/8, 2001:db8::/32, and an address alone, which is a network of its own. The
  // error, which may be empty, adds to "expected a network": it says which network was meant where
  // bits beyond the prefix are set.
  static std::expected<Cidr, std::string> parse(std::string_view text);

  bool contains(const PeerAddress& address) const noexcept;

  // What parse() reads; always with a prefix length.
  std::string to_string() const;

  friend bool operator==(const Cidr&, const Cidr&) = default;

 private:
  friend class CidrSet;

  // An IP address as a number; those of IPv4 come before those of IPv6.
  struct Ip {
    std::uint8_t is_ipv6 = 0;
    std::uint64_t high = 0;
    std::uint64_t low = 0;  // of IPv4 the lower half
    friend auto operator<=>(const Ip&, const Ip&) = default;
  };

  static Ip make_ip(std::string_view bytes) noexcept;
  static Ip unmap_ipv4(const Ip& ip) noexcept;
  static std::optional<Ip> find_ip(const PeerAddress& address) noexcept;
  static Ip mask(const Ip& ip, unsigned prefix) noexcept;
  bool contains(const Ip& ip) const noexcept { return mask(ip, prefix_) == first_; }

  Ip first_;
  std::uint8_t prefix_ = 128;  // 96 more than is written for IPv4
};

// Built once, then immutable; any thread.
class CidrSet {
 public:
  CidrSet() = default;
  explicit CidrSet(std::span<const Cidr> networks);

  // Never an address of a unix socket. Logarithmic in the number of networks, no allocation.
  bool contains(const PeerAddress& address) const noexcept;
  bool is_empty() const noexcept { return networks_.empty(); }

 private:
  std::vector<Cidr> networks_;  // disjoint, in order of their addresses
};

// For the configuration reader (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, Cidr& out);
std::string print_scalar(const Cidr& network);
constexpr config::ScalarInfo scalar_info(std::type_identity<Cidr>) {
  return {"a network", "10.0.0.0/8, 2001:db8::/32 or 192.0.2.1", R"("type": "string")",
          config::Quotes::allowed};
}

}  // namespace weir::net
