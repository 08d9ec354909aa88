// Any bytes, read as a PROXY header: cut anywhere they are incomplete or mean the same; what
// follows changes nothing; and written anew in both versions, the header is read again.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "protocol/ip_address.h"
#include "protocol/proxy_protocol/parse_header.h"
#include "protocol/proxy_protocol/write_header.h"

namespace {

using namespace weir::proxy_protocol;

void require(bool condition) {
  if (!condition) std::abort();
}

bool are_equal(const sockaddr_storage& a, const sockaddr_storage& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

void require_equal(const ParseResult& a, const ParseResult& b) {
  require(a.status == b.status && a.consumed == b.consumed && a.rule == b.rule);
}

// The bytes end where their memory does.
ParseResult parse_copy(std::string_view bytes) {
  const std::vector<char> copy(bytes.begin(), bytes.end());
  Header header;
  return parse_header({copy.data(), copy.size()}, header);
}

void check_cuts(std::string_view bytes, const ParseResult& whole) {
  const std::size_t step = bytes.size() / 300 + 1;
  for (std::size_t cut = 0; cut < bytes.size(); cut += step) {
    const ParseResult part = parse_copy(bytes.substr(0, cut));
    if (part.status == ParseStatus::incomplete) {
      require(whole.status != ParseStatus::complete || cut < whole.consumed);
    } else {
      require_equal(part, whole);
    }
  }
}

// What every accepted header keeps to.
void check_header(const Header& header) {
  require(header.source.ss_family == header.destination.ss_family);
  require((header.source.ss_family == AF_UNSPEC) == (header.transport == Transport::unspecified));
  require(header.tlvs.is_whole());
  for (const Tlv& tlv : header.tlvs) {
    require(tlv.type != TlvType::noop);
    if (tlv.type == TlvType::ssl) require(parse_ssl(tlv.value).has_value());
  }
}

// Written addresses are IPv4 where they can be, so what is written again is the same.
void check_written(const Header& header) {
  std::array<char, 2 * kHeaderBytesMax> first, second;
  std::vector<Tlv> tlvs;
  for (const Tlv& tlv : header.tlvs) {
    if (tlv.type != TlvType::crc32c) tlvs.push_back(tlv);
  }
  const V2Options options{.transport = header.transport, .tlvs = tlvs, .checksum = Checksum::add};
  const auto size = write_v2(first, header.source, header.destination, options);
  require(size.has_value());
  Header again;
  require(parse_header({first.data(), *size}, again, first.size()).consumed == *size);
  require(again.transport == header.transport);
  const auto size_again = write_v2(second, again.source, again.destination, options);
  require(size_again == size && std::memcmp(first.data(), second.data(), *size) == 0);

  const auto line = write_v1(std::span(second).first(kV1BytesMax), again.source, again.destination);
  require(line.has_value());
  Header from_line;
  require(parse_header({second.data(), *line}, from_line).consumed == *line);
  if (weir::protocol::ip_bytes(again.source).empty()) return;
  require(are_equal(from_line.source, again.source));
  require(are_equal(from_line.destination, again.destination));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Header header;
  const ParseResult whole = parse_header(bytes, header);
  require((whole.status == ParseStatus::failed) == (whole.rule != Rule::none));
  require((whole.status == ParseStatus::complete) == (whole.consumed > 0));
  require(whole.consumed <= size);
  check_cuts(bytes, whole);
  if (whole.status != ParseStatus::complete) return 0;
  require_equal(parse_copy(bytes.substr(0, whole.consumed)), whole);
  check_header(header);
  check_written(header);
  return 0;
}
