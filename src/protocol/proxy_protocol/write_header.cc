#include "protocol/proxy_protocol/write_header.h"

#include <charconv>
#include <cstddef>
#include <netinet/in.h>
#include <string_view>
#include <sys/un.h>

#include "base/assert.h"
#include "protocol/ip_address.h"
#include "protocol/proxy_protocol/crc32c.h"

namespace weir::proxy_protocol {
namespace {

// Appends to a span. After the first bytes that do not fit it takes nothing more.
class HeaderWriter {
 public:
  explicit HeaderWriter(std::span<char> out) noexcept : out_(out) {}

  void put(std::string_view bytes) noexcept {
    fits_ = fits_ && bytes.size() <= out_.size() - size_;
    if (fits_) size_ += bytes.copy(out_.data() + size_, bytes.size());
  }
  void put_byte(unsigned byte) noexcept {
    const auto value = static_cast<char>(byte);
    put({&value, 1});
  }
  void put_uint16(std::size_t number) noexcept {
    put_byte(static_cast<unsigned>(number >> 8));
    put_byte(static_cast<unsigned>(number));
  }
  void put_decimal(std::uint16_t number) noexcept {
    char digits[5];
    const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), number);
    WEIR_ASSERT(error == std::errc());
    put({digits, end});
  }

  std::size_t size() const noexcept { return size_; }
  std::string_view written() const noexcept { return {out_.data(), size_}; }
  std::optional<std::size_t> result() const noexcept {
    return fits_ ? std::optional(size_) : std::nullopt;
  }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
  bool fits_ = true;
};

// As they are written: of one family, or both AF_UNSPEC.
struct AddressPair {
  sockaddr_storage source;
  sockaddr_storage destination;
};

AddressPair make_pair(const sockaddr_storage& source,
                      const sockaddr_storage& destination) noexcept {
  const AddressPair plain{protocol::unmap_ipv4(source), protocol::unmap_ipv4(destination)};
  if (plain.source.ss_family == plain.destination.ss_family) return plain;
  const AddressPair mapped{protocol::map_ipv4(source), protocol::map_ipv4(destination)};
  if (mapped.source.ss_family == mapped.destination.ss_family) return mapped;
  return {};
}

void put_line(HeaderWriter& writer, const AddressPair& pair) noexcept {
  char text[INET6_ADDRSTRLEN];
  writer.put(pair.source.ss_family == AF_INET ? "PROXY TCP4 " : "PROXY TCP6 ");
  writer.put(protocol::print_ip(pair.source, text));
  writer.put(" ");
  writer.put(protocol::print_ip(pair.destination, text));
  writer.put(" ");
  writer.put_decimal(protocol::port_of(pair.source));
  writer.put(" ");
  writer.put_decimal(protocol::port_of(pair.destination));
  writer.put("\r\n");
}

std::string_view unix_path(const sockaddr_storage& address WEIR_LIFETIMEBOUND) noexcept {
  return {reinterpret_cast<const char*>(&address) + offsetof(sockaddr_un, sun_path),
          sizeof(sockaddr_un::sun_path)};
}

// The byte of family and transport, the length, and the addresses.
void put_addresses(HeaderWriter& writer, const AddressPair& pair, Transport transport) noexcept {
  const std::string_view source_ip = protocol::ip_bytes(pair.source);
  const auto low_bits = static_cast<unsigned>(transport);
  constexpr std::size_t kLengthUnknown = 0;
  if (transport != Transport::unspecified && !source_ip.empty()) {
    writer.put_byte((pair.source.ss_family == AF_INET ? 0x10u : 0x20u) | low_bits);
    writer.put_uint16(kLengthUnknown);
    writer.put(source_ip);
    writer.put(protocol::ip_bytes(pair.destination));
    writer.put_uint16(protocol::port_of(pair.source));
    writer.put_uint16(protocol::port_of(pair.destination));
  } else if (transport != Transport::unspecified && pair.source.ss_family == AF_UNIX) {
    writer.put_byte(0x30u | low_bits);
    writer.put_uint16(kLengthUnknown);
    writer.put(unix_path(pair.source));
    writer.put(unix_path(pair.destination));
  } else {
    writer.put_byte(0);
    writer.put_uint16(kLengthUnknown);
  }
}

void put_tlv(HeaderWriter& writer, TlvType type, std::string_view value) noexcept {
  WEIR_ASSERT(value.size() <= UINT16_MAX);
  writer.put_byte(static_cast<unsigned>(type));
  writer.put_uint16(value.size());
  writer.put(value);
}

}  // namespace

std::optional<std::size_t> write_v1(std::span<char> out, const sockaddr_storage& source,
                                    const sockaddr_storage& destination) noexcept {
  HeaderWriter writer(out);
  const AddressPair pair = make_pair(source, destination);
  if (protocol::ip_bytes(pair.source).empty()) {
    writer.put("PROXY UNKNOWN\r\n");
  } else {
    put_line(writer, pair);
  }
  return writer.result();
}

std::optional<std::size_t> write_v2(std::span<char> out, const sockaddr_storage& source,
                                    const sockaddr_storage& destination,
                                    const V2Options& options) noexcept {
  HeaderWriter writer(out);
  writer.put(kV2Signature);
  writer.put_byte(0x21);
  put_addresses(writer, make_pair(source, destination), options.transport);
  for (const Tlv& tlv : options.tlvs) {
    WEIR_ASSERT(tlv.type != TlvType::crc32c);
    put_tlv(writer, tlv.type, tlv.value);
  }
  // The checksum is that of the header with zeros in its place (2.2.3).
  if (options.checksum == Checksum::add) put_tlv(writer, TlvType::crc32c, {"\0\0\0\0", 4});
  if (!writer.result() || writer.size() - kV2AddressesAt > UINT16_MAX) return std::nullopt;

  HeaderWriter length(out.subspan(kV2LengthAt));
  length.put_uint16(writer.size() - kV2AddressesAt);
  if (options.checksum == Checksum::add) {
    const std::uint32_t crc = crc32c(writer.written());
    HeaderWriter checksum(out.subspan(writer.size() - sizeof(crc)));
    checksum.put_uint16(crc >> 16);
    checksum.put_uint16(crc & 0xffff);
  }
  return writer.result();
}

std::optional<std::size_t> write_v2_local(std::span<char> out) noexcept {
  HeaderWriter writer(out);
  writer.put(kV2Signature);
  writer.put_byte(0x20);
  put_addresses(writer, {}, Transport::unspecified);
  return writer.result();
}

}  // namespace weir::proxy_protocol
