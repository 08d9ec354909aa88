#include "net/cidr.h"

#include <algorithm>
#include <netinet/in.h>

#include "protocol/ip_address.h"

namespace weir::net {
namespace {

constexpr unsigned kIpv4PrefixAt = 96;

std::uint64_t keep_high_bits(std::uint64_t number, unsigned bits) noexcept {
  return bits == 0 ? 0 : number & (~std::uint64_t{0} << (64 - bits));
}

std::uint64_t read_number(std::string_view bytes) noexcept {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

}  // namespace

Cidr::Ip Cidr::make_ip(std::string_view bytes) noexcept {
  if (bytes.size() == sizeof(in_addr)) return {.is_ipv6 = 0, .high = 0, .low = read_number(bytes)};
  return {
      .is_ipv6 = 1, .high = read_number(bytes.substr(0, 8)), .low = read_number(bytes.substr(8))};
}

Cidr::Ip Cidr::unmap_ipv4(const Ip& ip) noexcept {
  if (ip.is_ipv6 == 0 || ip.high != 0 || ip.low >> 32 != 0xffff) return ip;
  return {.is_ipv6 = 0, .high = 0, .low = ip.low & 0xffff'ffff};
}

std::optional<Cidr::Ip> Cidr::find_ip(const PeerAddress& address) noexcept {
  if (address.is_unix()) return std::nullopt;
  return unmap_ipv4(make_ip(protocol::ip_bytes(address.storage())));
}

Cidr::Ip Cidr::mask(const Ip& ip, unsigned prefix) noexcept {
  return {.is_ipv6 = ip.is_ipv6,
          .high = keep_high_bits(ip.high, std::min(prefix, 64u)),
          .low = keep_high_bits(ip.low, std::max(prefix, 64u) - 64)};
}

std::expected<Cidr, std::string> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = protocol::parse_ip(text.substr(0, slash));
  if (!address) return std::unexpected(std::string());
  const std::string_view bytes = protocol::ip_bytes(*address);
  const std::uint64_t bits = bytes.size() * 8;
  std::uint64_t prefix = bits;
  if (slash != std::string_view::npos && !config::parse_whole(text.substr(slash + 1), prefix)) {
    return std::unexpected(std::string());
  }
  if (prefix > bits) {
    return std::unexpected("its prefix has 0 to " + std::to_string(bits) + " bits");
  }
  Cidr network;
  network.prefix_ = static_cast<std::uint8_t>(128 - bits + prefix);
  Ip ip = make_ip(bytes);
  if (network.prefix_ >= kIpv4PrefixAt) ip = unmap_ipv4(ip);
  network.first_ = mask(ip, network.prefix_);
  if (network.first_ == ip) return network;
  return std::unexpected("bits beyond its prefix are set, the network is " + network.to_string());
}

bool Cidr::contains(const PeerAddress& address) const noexcept {
  const auto ip = find_ip(address);
  return ip && contains(*ip);
}

std::string Cidr::to_string() const {
  char bytes[16];
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(first_.high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<char>(first_.low >> (56 - 8 * i));
  }
  std::string_view used(bytes, sizeof(bytes));
  if (first_.is_ipv6 == 0) used.remove_prefix(sizeof(bytes) - sizeof(in_addr));
  char text[INET6_ADDRSTRLEN];
  return std::string(protocol::print_ip(protocol::make_ip(used, 0), text)) + "/" +
         std::to_string(first_.is_ipv6 == 0 ? prefix_ - kIpv4PrefixAt : prefix_);
}

CidrSet::CidrSet(std::span<const Cidr> networks) {
  std::vector<Cidr> sorted(networks.begin(), networks.end());
  std::ranges::sort(sorted, {},
                    [](const Cidr& network) { return std::pair(network.first_, network.prefix_); });
  // Two networks are disjoint or one is in the other, which then comes first.
  for (const Cidr& network : sorted) {
    if (networks_.empty() || !networks_.back().contains(network.first_)) {
      networks_.push_back(network);
    }
  }
}

bool CidrSet::contains(const PeerAddress& address) const noexcept {
  const auto ip = Cidr::find_ip(address);
  if (!ip) return false;
  const auto after = std::ranges::upper_bound(networks_, *ip, {}, &Cidr::first_);
  return after != networks_.begin() && std::prev(after)->contains(*ip);
}

std::expected<void, std::string> parse_scalar(std::string_view text, Cidr& out) {
  const auto network = Cidr::parse(text);
  if (!network) return std::unexpected(network.error());
  out = *network;
  return {};
}

std::string print_scalar(const Cidr& network) { return network.to_string(); }

}  // namespace weir::net
