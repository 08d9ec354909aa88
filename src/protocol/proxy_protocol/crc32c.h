#pragma once
// CRC32c (RFC 4960 appendix B), which may guard a header of version 2 (PROXY protocol 2.2.3).

#include <cstdint>
#include <string_view>

namespace weir::proxy_protocol {

// Of `bytes` after others whose checksum is `before`; 0 is that of none.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0) noexcept;

}  // namespace weir::proxy_protocol
