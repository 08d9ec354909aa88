#include "protocol/http1/rule.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/assert.h"

namespace weir::http1 {
namespace {

using enum Rule;

constexpr auto kNone = ErrorKind::none;
constexpr auto kRequest = ErrorKind::bad_request;
constexpr auto kResponse = ErrorKind::bad_response;
constexpr auto kRequestBody = ErrorKind::bad_request_body;
constexpr auto kResponseBody = ErrorKind::bad_response_body;

constexpr std::array kRules = {
    RuleRow{none, kNone, kNone, "-", "No rule was broken."},
    RuleRow{head_too_large, ErrorKind::head_too_large, ErrorKind::response_head_too_large,
            "head_too_large", "The head is larger than the limit (RFC 9110 5.4)."},
    RuleRow{fields_too_many, ErrorKind::too_many_fields, ErrorKind::response_head_too_large,
            "fields_too_many", "The head has more fields than the limit (RFC 9110 5.4)."},
    RuleRow{bare_cr, kRequest, kResponse, "bare_cr",
            "A carriage return is not followed by a line feed (RFC 9112 2.2)."},
    RuleRow{bare_lf, kRequest, kResponse, "bare_lf",
            "A line ends without a carriage return (RFC 9112 2.2)."},
    RuleRow{line_folded, kRequest, kResponse, "line_folded",
            "A line starts with white space (RFC 9112 2.2, 5.2)."},
    RuleRow{field_name_empty, kRequest, kResponse, "field_name_empty",
            "A field has no name (RFC 9112 5)."},
    RuleRow{field_name_invalid, kRequest, kResponse, "field_name_invalid",
            "A field's name has a character that is not of a token, or no colon follows it "
            "(RFC 9110 5.1)."},
    RuleRow{field_name_space, kRequest, kResponse, "field_name_space",
            "There is white space in a field's name or before its colon (RFC 9112 5.1)."},
    RuleRow{field_value_invalid, kRequest, kResponse, "field_value_invalid",
            "A field's value has a control character (RFC 9110 5.5)."},
    RuleRow{content_length_invalid, kRequest, kResponse, "content_length_invalid",
            "Content-Length is not one decimal number below 2^63 (RFC 9112 6.3)."},
    RuleRow{content_length_repeated, kRequest, kResponse, "content_length_repeated",
            "There is more than one Content-Length (RFC 9112 6.3)."},
    RuleRow{transfer_encoding_invalid, kRequest, kResponse, "transfer_encoding_invalid",
            "The last coding of Transfer-Encoding is not chunked (RFC 9112 6.3)."},
    RuleRow{transfer_encoding_unsupported, ErrorKind::transfer_encoding_unsupported, kResponse,
            "transfer_encoding_unsupported",
            "Transfer-Encoding is not exactly chunked (RFC 9112 6.1)."},
    RuleRow{transfer_encoding_repeated, kRequest, kResponse, "transfer_encoding_repeated",
            "There is more than one Transfer-Encoding (RFC 9112 6.1)."},
    RuleRow{transfer_encoding_in_http_1_0, kRequest, kResponse, "transfer_encoding_in_http_1_0",
            "A message of HTTP/1.0 has Transfer-Encoding (RFC 9112 6.1)."},
    RuleRow{length_and_transfer_encoding, kRequest, kResponse, "length_and_transfer_encoding",
            "There are both Content-Length and Transfer-Encoding (RFC 9112 6.1)."},
    RuleRow{connection_options_too_many, kRequest, kResponse, "connection_options_too_many",
            "Connection names more than 32 options (RFC 9110 7.6.1)."},
    RuleRow{tls_handshake, kRequest, kNone, "tls_handshake",
            "The client started a TLS handshake where plain HTTP is spoken (RFC 9110 4.2.2)."},
    RuleRow{empty_lines_too_many, kRequest, kNone, "empty_lines_too_many",
            "More than 4 empty lines come before the request (RFC 9112 2.2)."},
    RuleRow{request_line_malformed, kRequest, kNone, "request_line_malformed",
            "The request line is not a method, a target and a version with one space between them "
            "(RFC 9112 3)."},
    RuleRow{method_invalid, kRequest, kNone, "method_invalid",
            "The method is not a token (RFC 9110 9.1)."},
    RuleRow{method_too_long, ErrorKind::method_refused, kNone, "method_too_long",
            "The method is longer than 32 characters (RFC 9112 3.1)."},
    RuleRow{target_too_long, ErrorKind::uri_too_long, kNone, "target_too_long",
            "The request line is longer than the limit on a head (RFC 9112 3)."},
    RuleRow{target_invalid, kRequest, kNone, "target_invalid",
            "The target has a control or non-ASCII character, or a fragment (RFC 9112 3.2)."},
    RuleRow{target_form_wrong, kRequest, kNone, "target_form_wrong",
            "The target is neither a path nor an http URI, nor * with OPTIONS, nor host:port with "
            "CONNECT (RFC 9112 3.2)."},
    RuleRow{target_authority_invalid, kRequest, kNone, "target_authority_invalid",
            "The authority of the target is not a host with an optional port (RFC 9110 4.2)."},
    RuleRow{version_malformed, kRequest, kResponse, "version_malformed",
            "The line does not name its version as HTTP/d.d (RFC 9112 2.3)."},
    RuleRow{version_unsupported, ErrorKind::http_version_unsupported, kResponse,
            "version_unsupported", "The version is neither HTTP/1.1 nor HTTP/1.0 (RFC 9110 2.5)."},
    RuleRow{host_missing, kRequest, kNone, "host_missing",
            "The request is of HTTP/1.1 and has no Host (RFC 9112 3.2)."},
    RuleRow{host_repeated, kRequest, kNone, "host_repeated",
            "There is more than one Host (RFC 9112 3.2)."},
    RuleRow{host_invalid, kRequest, kNone, "host_invalid",
            "Host is not a host with an optional port (RFC 9112 3.2)."},
    RuleRow{status_line_malformed, kNone, kResponse, "status_line_malformed",
            "The status line is not a version, a status and a reason (RFC 9112 4)."},
    RuleRow{status_invalid, kNone, kResponse, "status_invalid",
            "The status is not a number from 100 to 599 (RFC 9110 15)."},
    RuleRow{reason_invalid, kNone, kResponse, "reason_invalid",
            "The reason has a control character (RFC 9112 4)."},
    RuleRow{chunk_size_invalid, kRequestBody, kResponseBody, "chunk_size_invalid",
            "A chunk does not start with a line of its size in hexadecimal (RFC 9112 7.1)."},
    RuleRow{chunk_size_too_large, kRequestBody, kResponseBody, "chunk_size_too_large",
            "A chunk's size has more than 16 digits (RFC 9112 7.1)."},
    RuleRow{chunk_extension_invalid, kRequestBody, kResponseBody, "chunk_extension_invalid",
            "A chunk's extension is not ;name or ;name=value, or its line ends without a carriage "
            "return (RFC 9112 7.1.1)."},
    RuleRow{chunk_extension_too_long, kRequestBody, kResponseBody, "chunk_extension_too_long",
            "The extensions of one chunk are longer than 1 KiB, or those of a body than 64 KiB "
            "(RFC 9112 7.1.1)."},
    RuleRow{chunk_end_missing, kRequestBody, kResponseBody, "chunk_end_missing",
            "A chunk's data is longer than its size says (RFC 9112 7.1)."},
    RuleRow{trailers_too_large, kRequestBody, kResponseBody, "trailers_too_large",
            "The trailer fields are larger than 8 KiB (RFC 9112 7.1.2)."},
};
static_assert(kRules.size() == static_cast<std::size_t>(count_));

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (static_cast<std::size_t>(kRules[i].rule) != i) return false;
  }
  return true;
}
static_assert(in_order());

Error make_rule_error(ErrorKind kind, Rule rule) noexcept {
  WEIR_ASSERT(kind != ErrorKind::none);
  Error error = make_error(kind);
  error.detail = static_cast<std::uint8_t>(rule);
  return error;
}

}  // namespace

const RuleRow& row_of(Rule rule) noexcept {
  const auto index = static_cast<std::size_t>(rule);
  WEIR_ASSERT(index < kRules.size());
  return kRules[index];
}

Rule find_rule(const Error& error) noexcept {
  if (error.detail >= kRules.size()) return none;
  const bool ours = std::ranges::any_of(kRules, [&](const RuleRow& row) {
    return error.kind == row.request_kind || error.kind == row.response_kind;
  });
  return ours ? kRules[error.detail].rule : none;
}

Error request_error(Rule rule) noexcept { return make_rule_error(row_of(rule).request_kind, rule); }

Error response_error(Rule rule) noexcept {
  return make_rule_error(row_of(rule).response_kind, rule);
}

}  // namespace weir::http1
