#pragma once
// The rules of the PROXY protocol that a peer can break; logs say a rule's word and its sentence.

#include <cstdint>
#include <string_view>

namespace weir::proxy_protocol {

enum class Rule : std::uint8_t {
  none,
  signature_missing,
  // Version 1.
  line_too_long,
  line_end_invalid,
  line_malformed,
  protocol_unknown,
  address_invalid,
  port_invalid,
  // Version 2.
  version_unsupported,
  command_unknown,
  family_unknown,
  transport_unknown,
  header_too_large,
  addresses_truncated,
  unix_path_unterminated,
  tlv_truncated,
  checksum_malformed,
  checksum_wrong,
  unique_id_too_long,
  ssl_malformed,
  count_,
};

// One row for each rule. Text lives for ever.
struct RuleRow {
  Rule rule;
  std::string_view word;      // in logs
  std::string_view sentence;  // for a person, with the section of the specification
};

const RuleRow& row_of(Rule rule) noexcept;

}  // namespace weir::proxy_protocol
