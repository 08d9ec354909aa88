#include "protocol/proxy_protocol/tlv.h"

namespace weir::proxy_protocol {
namespace {

// Takes one from the front. False: what is left is too short for it, and stays.
bool take_tlv(std::string_view& rest, Tlv& tlv) noexcept {
  if (rest.size() < kTlvOverheadBytes) return false;
  const std::size_t size = read_uint16(rest.substr(1));
  if (rest.size() - kTlvOverheadBytes < size) return false;
  tlv.type = static_cast<TlvType>(rest.front());
  tlv.value = rest.substr(kTlvOverheadBytes, size);
  rest.remove_prefix(kTlvOverheadBytes + size);
  return true;
}

std::uint32_t byte_at(std::string_view bytes, std::size_t index) noexcept {
  WEIR_ASSERT(index < bytes.size());
  return static_cast<unsigned char>(bytes[index]);
}

}  // namespace

TlvList::Iterator& TlvList::Iterator::operator++() noexcept {
  do {
    at_end_ = !take_tlv(rest_, tlv_);
  } while (!at_end_ && tlv_.type == TlvType::noop);
  return *this;
}

std::optional<std::string_view> TlvList::find(TlvType type) const noexcept {
  for (const Tlv& tlv : *this) {
    if (tlv.type == type) return tlv.value;
  }
  return std::nullopt;
}

bool TlvList::is_whole() const noexcept {
  std::string_view rest = bytes_;
  Tlv tlv;
  while (take_tlv(rest, tlv)) continue;
  return rest.empty();
}

std::optional<Ssl> parse_ssl(std::string_view value) noexcept {
  constexpr std::size_t kVerifyAt = 1, kTlvsAt = 5;
  if (value.size() < kTlvsAt) return std::nullopt;
  const std::uint32_t client = byte_at(value, 0);
  const Ssl ssl{.is_tls = (client & 1) != 0,
                .has_connection_certificate = (client & 2) != 0,
                .has_session_certificate = (client & 4) != 0,
                .verify = read_uint32(value.substr(kVerifyAt)),
                .tlvs = TlvList(value.substr(kTlvsAt))};
  if (!ssl.tlvs.is_whole()) return std::nullopt;
  return ssl;
}

std::uint16_t read_uint16(std::string_view bytes) noexcept {
  return static_cast<std::uint16_t>(byte_at(bytes, 0) << 8 | byte_at(bytes, 1));
}

std::uint32_t read_uint32(std::string_view bytes) noexcept {
  return static_cast<std::uint32_t>(read_uint16(bytes)) << 16 | read_uint16(bytes.substr(2));
}

}  // namespace weir::proxy_protocol
