#include "protocol/proxy_protocol/parse_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <sys/un.h>

#include "protocol/ip_address.h"
#include "protocol/proxy_protocol/crc32c.h"

namespace weir::proxy_protocol {
namespace {

constexpr std::string_view kV1Signature = "PROXY ";
constexpr std::size_t kUnixPathBytes = sizeof(sockaddr_un::sun_path);
static_assert(kUnixPathBytes == 108);

constexpr std::string_view kZeroChecksum{"\0\0\0\0", 4};

ParseResult incomplete() noexcept { return {}; }

ParseResult complete(std::size_t consumed) noexcept {
  return {.status = ParseStatus::complete, .consumed = consumed};
}

ParseResult failed(Rule rule) noexcept { return {.status = ParseStatus::failed, .rule = rule}; }

// Whether `bytes` start with `signature` as far as they go.
bool may_start_with(std::string_view bytes, std::string_view signature) noexcept {
  const std::size_t known = std::min(bytes.size(), signature.size());
  return bytes.substr(0, known) == signature.substr(0, known);
}

// `line` goes from after the signature to before the CRLF.
Rule parse_line(std::string_view line, Header& header) noexcept {
  std::array<std::string_view, 5> words;  // protocol, source, destination and their ports
  std::size_t count = 0;
  std::size_t end = 0;
  for (; end != std::string_view::npos && count < words.size(); ++count) {
    end = line.find(' ');
    words[count] = line.substr(0, end);
    if (end != std::string_view::npos) line.remove_prefix(end + 1);
  }
  header = {};
  header.command = Command::proxy;
  if (words[0] == "UNKNOWN") return Rule::none;
  if (words[0] != "TCP4" && words[0] != "TCP6") return Rule::protocol_unknown;
  if (count < words.size() || end != std::string_view::npos) return Rule::line_malformed;
  const sa_family_t family = words[0] == "TCP4" ? AF_INET : AF_INET6;
  const auto source = protocol::parse_ip(words[1]);
  const auto destination = protocol::parse_ip(words[2]);
  if (!source || !destination) return Rule::address_invalid;
  if (source->ss_family != family || destination->ss_family != family) return Rule::address_invalid;
  const auto source_port = protocol::parse_port(words[3]);
  const auto destination_port = protocol::parse_port(words[4]);
  if (!source_port || !destination_port) return Rule::port_invalid;
  header.transport = Transport::stream;
  header.source = protocol::make_ip(protocol::ip_bytes(*source), *source_port);
  header.destination = protocol::make_ip(protocol::ip_bytes(*destination), *destination_port);
  return Rule::none;
}

ParseResult parse_v1(std::string_view bytes, Header& header) noexcept {
  const std::string_view window = bytes.substr(0, kV1BytesMax);
  // UNKNOWN may be followed by anything but a CRLF; elsewhere CR and LF stand at the end only.
  const bool is_unknown = window.starts_with("PROXY UNKNOWN");
  const std::size_t end = is_unknown ? window.find("\r\n") : window.find_first_of("\r\n");
  if (end == std::string_view::npos || window.substr(end) == "\r") {
    return bytes.size() < kV1BytesMax ? incomplete() : failed(Rule::line_too_long);
  }
  if (window.substr(end, 2) != "\r\n") return failed(Rule::line_end_invalid);
  const Rule rule =
      parse_line(window.substr(kV1Signature.size(), end - kV1Signature.size()), header);
  return rule == Rule::none ? complete(end + 2) : failed(rule);
}

// Of a header with zeros in the place of its checksum (2.2.3).
std::uint32_t compute_checksum(std::string_view header, std::string_view checksum) noexcept {
  const auto at = static_cast<std::size_t>(checksum.data() - header.data());
  const std::uint32_t before = crc32c(header.substr(0, at));
  return crc32c(header.substr(at + checksum.size()), crc32c(kZeroChecksum, before));
}

Rule check_tlvs(std::string_view bytes, TlvList tlvs) noexcept {
  if (!tlvs.is_whole()) return Rule::tlv_truncated;
  bool has_checksum = false;
  for (const Tlv& tlv : tlvs) {
    if (tlv.type == TlvType::crc32c) {
      if (has_checksum || tlv.value.size() != kZeroChecksum.size()) return Rule::checksum_malformed;
      if (compute_checksum(bytes, tlv.value) != read_uint32(tlv.value)) return Rule::checksum_wrong;
      has_checksum = true;
    }
    if (tlv.type == TlvType::unique_id && tlv.value.size() > kUniqueIdBytesMax) {
      return Rule::unique_id_too_long;
    }
    if (tlv.type == TlvType::ssl && !parse_ssl(tlv.value)) return Rule::ssl_malformed;
  }
  return Rule::none;
}

struct Nibbles {
  unsigned high;
  unsigned low;
};

Nibbles nibbles_of(char byte) noexcept {
  const unsigned value = static_cast<unsigned char>(byte);
  return {.high = value >> 4, .low = value & 0x0f};
}

// The bytes that the two addresses of a family take.
std::size_t addresses_bytes(unsigned family) noexcept {
  constexpr std::size_t kPorts = 2 * sizeof(in_port_t);
  constexpr std::array kBytes = {std::size_t{0}, 2 * sizeof(in_addr) + kPorts,
                                 2 * sizeof(in6_addr) + kPorts, 2 * kUnixPathBytes};
  return kBytes[family];
}

void read_ips(std::string_view block, Header& header) noexcept {
  const std::size_t ip = (block.size() - 2 * sizeof(in_port_t)) / 2;
  const std::string_view ports = block.substr(2 * ip);
  header.source = protocol::make_ip(block.substr(0, ip), read_uint16(ports));
  header.destination =
      protocol::make_ip(block.substr(ip, ip), read_uint16(ports.substr(sizeof(in_port_t))));
}

// An unnamed socket is all zeros, and a name of the abstract space starts with one.
sockaddr_storage make_unix(std::string_view path) noexcept {
  sockaddr_storage address{};
  address.ss_family = AF_UNIX;
  path.copy(reinterpret_cast<char*>(&address) + offsetof(sockaddr_un, sun_path), path.size());
  return address;
}

Rule read_addresses(std::string_view block, Header& header) noexcept {
  if (block.size() != 2 * kUnixPathBytes) {
    read_ips(block, header);
    return Rule::none;
  }
  const std::string_view source = block.substr(0, kUnixPathBytes);
  const std::string_view destination = block.substr(kUnixPathBytes);
  if (!source.contains('\0') || !destination.contains('\0')) return Rule::unix_path_unterminated;
  header.source = make_unix(source);
  header.destination = make_unix(destination);
  return Rule::none;
}

// `bytes` are the whole header, of the command PROXY and a known family and transport.
Rule read_proxied(std::string_view bytes, Header& header) noexcept {
  const auto [family, transport] = nibbles_of(bytes[kV2FamilyAt]);
  const std::string_view block = bytes.substr(kV2AddressesAt);
  if (block.size() < addresses_bytes(family)) return Rule::addresses_truncated;
  if (family != 0 && transport != 0) {
    header.transport = static_cast<Transport>(transport);
    const Rule rule = read_addresses(block.substr(0, addresses_bytes(family)), header);
    if (rule != Rule::none) return rule;
  }
  header.tlvs = TlvList(block.substr(addresses_bytes(family)));
  return check_tlvs(bytes, header.tlvs);
}

ParseResult parse_v2(std::string_view bytes, Header& header, std::size_t bytes_max) noexcept {
  if (bytes.size() <= kV2VersionAt) return incomplete();
  const auto [version, command] = nibbles_of(bytes[kV2VersionAt]);
  if (version != 2) return failed(Rule::version_unsupported);
  if (command > 1) return failed(Rule::command_unknown);
  const bool is_local = static_cast<Command>(command) == Command::local;
  if (bytes.size() <= kV2FamilyAt) return incomplete();
  const auto [family, transport] = nibbles_of(bytes[kV2FamilyAt]);
  if (!is_local && family > 3) return failed(Rule::family_unknown);
  if (!is_local && transport > 2) return failed(Rule::transport_unknown);
  if (bytes.size() < kV2AddressesAt) return incomplete();
  const std::size_t size = kV2AddressesAt + read_uint16(bytes.substr(kV2LengthAt));
  if (size > bytes_max) return failed(Rule::header_too_large);
  if (bytes.size() < size) return incomplete();
  header = {};
  header.version = Version::v2;
  header.command = static_cast<Command>(command);
  const Rule rule = is_local ? Rule::none : read_proxied(bytes.substr(0, size), header);
  return rule == Rule::none ? complete(size) : failed(rule);
}

}  // namespace

ParseResult parse_header(std::string_view bytes, Header& header, std::size_t bytes_max) noexcept {
  if (bytes.empty()) return incomplete();
  if (may_start_with(bytes, kV2Signature)) {
    return bytes.size() < kV2Signature.size() ? incomplete() : parse_v2(bytes, header, bytes_max);
  }
  if (may_start_with(bytes, kV1Signature)) {
    return bytes.size() < kV1Signature.size() ? incomplete() : parse_v1(bytes, header);
  }
  return failed(Rule::signature_missing);
}

}  // namespace weir::proxy_protocol
