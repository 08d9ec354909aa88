#pragma once
// The type-length-values of a header of version 2 (PROXY protocol 2.2), as views into its bytes.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include "base/assert.h"

namespace weir::proxy_protocol {

inline constexpr std::size_t kTlvOverheadBytes = 3;  // of its type and its length
inline constexpr std::size_t kUniqueIdBytesMax = 128;

// Any other value of a byte may come as well.
enum class TlvType : std::uint8_t {
  alpn = 0x01,       // 2.2.1: as the client's TLS handshake ended, "h2"
  authority = 0x02,  // 2.2.2: the host name that the client asked for (SNI)
  crc32c = 0x03,     // 2.2.3
  noop = 0x04,       // 2.2.4: padding
  unique_id = 0x05,  // 2.2.5: of the connection; at most kUniqueIdBytesMax bytes
  ssl = 0x20,        // 2.2.6: what parse_ssl reads
  // Inside ssl; text.
  ssl_version = 0x21,
  ssl_common_name = 0x22,
  ssl_cipher = 0x23,
  ssl_signature_algorithm = 0x24,
  ssl_key_algorithm = 0x25,
  netns = 0x30,  // 2.2.7: the name of a network namespace
};

struct Tlv {
  TlvType type{};
  std::string_view value;
};

// A list in the order written, without its NOOPs. Any bytes may be given; it ends before what is
// truncated.
class TlvList {
 public:
  class Iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using value_type = Tlv;

    Iterator() = default;
    explicit Iterator(std::string_view bytes) noexcept : rest_(bytes) { ++*this; }
    const Tlv& operator*() const noexcept WEIR_LIFETIMEBOUND { return tlv_; }
    const Tlv* operator->() const noexcept WEIR_LIFETIMEBOUND { return &tlv_; }
    Iterator& operator++() noexcept;
    void operator++(int) noexcept { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return at_end_; }

   private:
    std::string_view rest_;
    Tlv tlv_;
    bool at_end_ = false;
  };

  TlvList() = default;
  explicit TlvList(std::string_view bytes) noexcept : bytes_(bytes) {}

  Iterator begin() const noexcept { return Iterator(bytes_); }
  std::default_sentinel_t end() const noexcept { return {}; }
  // As they were given, NOOPs included.
  std::string_view bytes() const noexcept { return bytes_; }
  // The first value of this type.
  std::optional<std::string_view> find(TlvType type) const noexcept;
  // Whether the last one ends where the bytes do.
  bool is_whole() const noexcept;

 private:
  std::string_view bytes_;
};

// What the value of TlvType::ssl says (PROXY protocol 2.2.6).
struct Ssl {
  bool is_tls = false;                      // the client connected over TLS
  bool has_connection_certificate = false;  // the client gave one over this connection
  bool has_session_certificate = false;     // or over an earlier one of this TLS session
  std::uint32_t verify = 0;                 // 0: the certificate was verified
  TlvList tlvs;                             // TlvType::ssl_version and the like
};

// nullopt: it is shorter than that, or a type-length-value inside is truncated.
std::optional<Ssl> parse_ssl(std::string_view value) noexcept;

// Numbers of a header, in network order. `bytes` has that many.
std::uint16_t read_uint16(std::string_view bytes) noexcept;
std::uint32_t read_uint32(std::string_view bytes) noexcept;

}  // namespace weir::proxy_protocol
