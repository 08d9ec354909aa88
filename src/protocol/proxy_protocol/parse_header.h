#pragma once
// Reads the header of the PROXY protocol, of version 1 (2.1) or 2 (2.2), strictly. Whether there is
// one is for the configuration to say, never to be guessed from the bytes (5).
//
// A pure function over contiguous bytes. While a header is incomplete the caller comes back with
// more bytes, which may have moved. Wherever they are cut, the result is the same.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "protocol/proxy_protocol/header.h"
#include "protocol/proxy_protocol/rule.h"

namespace weir::proxy_protocol {

enum class ParseStatus : std::uint8_t { incomplete, complete, failed };

struct ParseResult {
  ParseStatus status = ParseStatus::incomplete;
  std::size_t consumed = 0;  // bytes of the header, when complete; else 0
  Rule rule = Rule::none;    // when failed
};

// `header` is set when the result is complete; its TLVs are views of `bytes`. A header of version 2
// larger than `bytes_max` fails. All that LOCAL, UNKNOWN and an unspecified transport say is
// ignored, as the specification asks; but an unspecified family may have TLVs.
ParseResult parse_header(std::string_view bytes WEIR_LIFETIMEBOUND, Header& header,
                         std::size_t bytes_max = kHeaderBytesMax) noexcept;

}  // namespace weir::proxy_protocol
