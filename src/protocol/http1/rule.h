#pragma once
// The rules of HTTP/1 that a peer can break. Error.detail of an error of this folder is one of
// them; logs and error pages say its word and its sentence.

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace weir::http1 {

enum class Rule : std::uint8_t {
  none,
  // Any head.
  head_too_large,
  fields_too_many,
  bare_cr,
  bare_lf,
  line_folded,
  field_name_empty,
  field_name_invalid,
  field_name_space,
  field_value_invalid,
  content_length_invalid,
  content_length_repeated,
  transfer_encoding_invalid,
  transfer_encoding_unsupported,
  transfer_encoding_repeated,
  transfer_encoding_in_http_1_0,
  length_and_transfer_encoding,
  connection_options_too_many,
  // The request line, and Host.
  tls_handshake,
  empty_lines_too_many,
  request_line_malformed,
  method_invalid,
  method_too_long,
  target_too_long,
  target_invalid,
  target_form_wrong,
  target_authority_invalid,
  version_malformed,
  version_unsupported,
  host_missing,
  host_repeated,
  host_invalid,
  // The status line.
  status_line_malformed,
  status_invalid,
  reason_invalid,
  // A chunked body.
  chunk_size_invalid,
  chunk_size_too_large,
  chunk_extension_invalid,
  chunk_extension_too_long,
  chunk_end_missing,
  trailers_too_large,
  count_,
};

// One row for each rule. Text lives for ever.
struct RuleRow {
  Rule rule;
  ErrorKind request_kind;     // of the error when a client breaks it; bad_request_body for bodies
  ErrorKind response_kind;    // when a server does; none if only a request can break it
  std::string_view word;      // in logs
  std::string_view sentence;  // for a person, with the section that says so
};

const RuleRow& row_of(Rule rule) noexcept;

// The rule behind an error that this folder returned; Rule::none of any other.
Rule find_rule(const Error& error) noexcept;

// The error that says so; its side stays none, the caller knows it.
Error request_error(Rule rule) noexcept;
Error response_error(Rule rule) noexcept;

}  // namespace weir::http1
