#include "protocol/proxy_protocol/rule.h"

#include <array>
#include <cstddef>

#include "base/assert.h"

namespace weir::proxy_protocol {
namespace {

using enum Rule;

constexpr std::array kRules = {
    RuleRow{none, "-", "No rule was broken."},
    RuleRow{signature_missing, "signature_missing",
            "The connection does not start with a header of version 1 or 2 (PROXY protocol 2)."},
    RuleRow{line_too_long, "line_too_long",
            "The line does not end within 107 bytes (PROXY protocol 2.1)."},
    RuleRow{line_end_invalid, "line_end_invalid",
            "The line has a carriage return or a line feed alone (PROXY protocol 2.1)."},
    RuleRow{line_malformed, "line_malformed",
            "The line is not a protocol, two addresses and two ports with one space between them "
            "(PROXY protocol 2.1)."},
    RuleRow{protocol_unknown, "protocol_unknown",
            "The protocol is none of TCP4, TCP6 and UNKNOWN (PROXY protocol 2.1)."},
    RuleRow{address_invalid, "address_invalid",
            "An address is not one of the family that the line names (PROXY protocol 2.1)."},
    RuleRow{port_invalid, "port_invalid",
            "A port is not a decimal number from 0 to 65535 without leading zero "
            "(PROXY protocol 2.1)."},
    RuleRow{version_unsupported, "version_unsupported",
            "The version of a binary header is not 2 (PROXY protocol 2.2)."},
    RuleRow{command_unknown, "command_unknown",
            "The command is neither LOCAL nor PROXY (PROXY protocol 2.2)."},
    RuleRow{family_unknown, "family_unknown",
            "The address family is none of UNSPEC, INET, INET6 and UNIX (PROXY protocol 2.2)."},
    RuleRow{transport_unknown, "transport_unknown",
            "The transport is none of UNSPEC, STREAM and DGRAM (PROXY protocol 2.2)."},
    RuleRow{header_too_large, "header_too_large",
            "The header is larger than the limit (PROXY protocol 2.2)."},
    RuleRow{addresses_truncated, "addresses_truncated",
            "The header is too short for the addresses of its family (PROXY protocol 2.2)."},
    RuleRow{unix_path_unterminated, "unix_path_unterminated",
            "The path of a unix socket has no zero byte within its 108 bytes "
            "(PROXY protocol 2.2)."},
    RuleRow{tlv_truncated, "tlv_truncated",
            "A type-length-value does not end where the header does (PROXY protocol 2.2)."},
    RuleRow{checksum_malformed, "checksum_malformed",
            "The checksum is not of 4 bytes, or is there twice (PROXY protocol 2.2.3)."},
    RuleRow{checksum_wrong, "checksum_wrong",
            "The checksum is not that of the header (PROXY protocol 2.2.3)."},
    RuleRow{unique_id_too_long, "unique_id_too_long",
            "The unique id is longer than 128 bytes (PROXY protocol 2.2.5)."},
    RuleRow{ssl_malformed, "ssl_malformed",
            "What is said of TLS is shorter than 5 bytes, or has a type-length-value that does not "
            "end where it does (PROXY protocol 2.2.6)."},
};
static_assert(kRules.size() == static_cast<std::size_t>(count_));

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (static_cast<std::size_t>(kRules[i].rule) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

const RuleRow& row_of(Rule rule) noexcept {
  const auto index = static_cast<std::size_t>(rule);
  WEIR_ASSERT(index < kRules.size());
  return kRules[index];
}

}  // namespace weir::proxy_protocol
