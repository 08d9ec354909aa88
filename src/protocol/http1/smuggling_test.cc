// Heads that break a rule, and the rule that each of them breaks: what two readers could understand
// in two ways must be understood by none.

#include <gtest/gtest.h>
#include <set>
#include <string>

#include "protocol/http1/head_test.h"

namespace weir::http1 {
namespace {

using test::Message;
using test::Outcome;
using test::Reader;
using namespace std::string_literals;

struct Bad {
  Rule rule;
  std::string bytes;
};

const Bad kBadLines[] = {
    {Rule::tls_handshake, "\x16\x03\x01\x02\x00\x01"s},
    {Rule::empty_lines_too_many, "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n"},
    {Rule::bare_lf, "\nGET / HTTP/1.1\r\n"},
    {Rule::bare_lf, "GET / HTTP/1.1\n"},
    {Rule::bare_lf, "GET\n"},
    {Rule::bare_lf, "GET /\n"},
    {Rule::bare_cr, "\rGET / HTTP/1.1\r\n"},
    {Rule::bare_cr, "GET\r/ HTTP/1.1\r\n"},
    {Rule::bare_cr, "GET /\r HTTP/1.1\r\n"},
    {Rule::bare_cr, "GET / HTTP/1.1\r\r\n"},
    {Rule::method_too_long, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n"},
    {Rule::method_invalid, " GET / HTTP/1.1\r\n"},
    {Rule::method_invalid, "\tGET / HTTP/1.1\r\n"},
    {Rule::method_invalid, "GE(T / HTTP/1.1\r\n"},
    {Rule::method_invalid, "G\xc3\x8bT / HTTP/1.1\r\n"},
    {Rule::method_invalid, "GET\t/ HTTP/1.1\r\n"},
    {Rule::method_invalid, "G\0T / HTTP/1.1\r\n"s},
    {Rule::request_line_malformed, "GET\r\n"},
    {Rule::request_line_malformed, "GET /\r\n"},
    {Rule::request_line_malformed, "GET  / HTTP/1.1\r\n"},
    {Rule::request_line_malformed, "GET / HTTP/1.1 \r\n"},
    {Rule::request_line_malformed, "GET / HTTP/1.10\r\n"},
    {Rule::target_invalid, "GET /\t HTTP/1.1\r\n"},
    {Rule::target_invalid, "GET /a\tb HTTP/1.1\r\n"},
    {Rule::target_invalid, "GET /#top HTTP/1.1\r\n"},
    {Rule::target_invalid, "GET /\xc3\xbc HTTP/1.1\r\n"},
    {Rule::target_invalid, "GET /\x7f HTTP/1.1\r\n"},
    {Rule::target_invalid, "GET /\0 HTTP/1.1\r\n"s},
    {Rule::target_form_wrong, "GET index.html HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "GET ?q HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "GET * HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "OPTIONS ** HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "GET ftp://x/ HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "GET http:/x HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "GET x:80 HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "CONNECT / HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "CONNECT x HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "CONNECT x: HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "CONNECT u@x:80 HTTP/1.1\r\n"},
    {Rule::target_form_wrong, "CONNECT http://x:80/ HTTP/1.1\r\n"},
    {Rule::target_authority_invalid, "GET http:///path HTTP/1.1\r\n"},
    {Rule::target_authority_invalid, "GET http://u@x/ HTTP/1.1\r\n"},
    {Rule::target_authority_invalid, "GET http://u:p@x/ HTTP/1.1\r\n"},
    {Rule::target_authority_invalid, "GET http://x:99999/ HTTP/1.1\r\n"},
    {Rule::target_authority_invalid, "GET http://x\\y/ HTTP/1.1\r\n"},
    {Rule::target_authority_invalid, "GET https://[::1/ HTTP/1.1\r\n"},
    {Rule::version_malformed, "GET /  HTTP/1.1\r\n"},
    {Rule::version_malformed, "GET / \r\n"},
    {Rule::version_malformed, "GET / HTTP/1\r\n"},
    {Rule::version_malformed, "GET / http/1.1\r\n"},
    {Rule::version_malformed, "GET / HTTP/1,1\r\n"},
    {Rule::version_malformed, "GET / HTTP/x.1\r\n"},
    {Rule::version_malformed, "GET / HTTPS/1.1\r\n"},
    {Rule::version_malformed, "GET / HTTP/11.1\r\n"},
    {Rule::version_malformed, "GET /a b HTTP/1.1\r\n"},
    {Rule::version_unsupported, "GET / HTTP/1.2\r\n"},
    {Rule::version_unsupported, "GET / HTTP/0.9\r\n"},
    {Rule::version_unsupported, "GET / HTTP/2.0\r\n"},
    {Rule::version_unsupported, "PRI * HTTP/2.0\r\n"},
};

// After "POST / HTTP/1.1" and Host.
const Bad kBadFields[] = {
    {Rule::bare_lf, "A: b\n"},
    {Rule::bare_lf, "A: b\nC: d\r\n"},
    {Rule::bare_lf, "A\n"},
    {Rule::bare_lf, "\n"},
    {Rule::bare_lf, "A:\n"},
    {Rule::bare_cr, "A: b\rc\r\n"},
    {Rule::bare_cr, "A: b\r\r\n"},
    {Rule::bare_cr, "A\r: b\r\n"},
    {Rule::bare_cr, "\rA: b\r\n"},
    {Rule::line_folded, " A: b\r\n"},
    {Rule::line_folded, "A: b\r\n c\r\n"},
    {Rule::line_folded, "A: b\r\n\tc\r\n"},
    {Rule::line_folded, "A: b\r\n \r\n"},
    {Rule::field_name_empty, ": b\r\n"},
    {Rule::field_name_empty, ":\r\n"},
    {Rule::field_name_space, "A : b\r\n"},
    {Rule::field_name_space, "A\t: b\r\n"},
    {Rule::field_name_space, "A B: c\r\n"},
    {Rule::field_name_space, "Transfer-Encoding : chunked\r\n"},
    {Rule::field_name_invalid, "A\r\n"},
    {Rule::field_name_invalid, "A(b): c\r\n"},
    {Rule::field_name_invalid, "A@: c\r\n"},
    {Rule::field_name_invalid, "\"A\": c\r\n"},
    {Rule::field_name_invalid, "\xc3\xbc: c\r\n"},
    {Rule::field_name_invalid, "\x0b"s + "A: c\r\n"},
    {Rule::field_name_invalid, "A\0: c\r\n"s},
    {Rule::field_name_invalid, "A\x7f: c\r\n"},
    {Rule::field_value_invalid, "A: b\0c\r\n"s},
    {Rule::field_value_invalid, "A: \x01\r\n"},
    {Rule::field_value_invalid, "A: \x1f\r\n"},
    {Rule::field_value_invalid, "A: \x7f\r\n"},
    {Rule::field_value_invalid,
     "A: \x0b"
     "chunked\r\n"},
    {Rule::field_value_invalid, "A: a long value, sixteen and more \x0c bytes long\r\n"},
    {Rule::content_length_invalid, "Content-Length:\r\n"},
    {Rule::content_length_invalid, "Content-Length: +5\r\n"},
    {Rule::content_length_invalid, "Content-Length: -5\r\n"},
    {Rule::content_length_invalid, "Content-Length: 0x5\r\n"},
    {Rule::content_length_invalid, "Content-Length: 5a\r\n"},
    {Rule::content_length_invalid, "Content-Length: 5,5\r\n"},
    {Rule::content_length_invalid, "Content-Length: 5, 5\r\n"},
    {Rule::content_length_invalid, "Content-Length: 5 5\r\n"},
    {Rule::content_length_invalid, "Content-Length: 5;\r\n"},
    {Rule::content_length_invalid, "Content-Length: \"5\"\r\n"},
    {Rule::content_length_invalid, "Content-Length: 5.0\r\n"},
    {Rule::content_length_invalid, "Content-Length: 9223372036854775808\r\n"},
    {Rule::content_length_invalid, "Content-Length: 18446744073709551616\r\n"},
    {Rule::content_length_invalid, "Content-Length: 99999999999999999999999\r\n"},
    {Rule::content_length_repeated, "Content-Length: 5\r\nContent-Length: 6\r\n"},
    {Rule::content_length_repeated, "Content-Length: 5\r\nA: b\r\ncontent-length: 5\r\n"},
    {Rule::transfer_encoding_invalid, "Transfer-Encoding:\r\n"},
    {Rule::transfer_encoding_invalid, "Transfer-Encoding: identity\r\n"},
    {Rule::transfer_encoding_unsupported, "Transfer-Encoding: gzip, chunked\r\n"},
    {Rule::transfer_encoding_unsupported, "Transfer-Encoding: chunked, chunked\r\n"},
    {Rule::transfer_encoding_unsupported, "Transfer-Encoding: chunked,\r\n"},
    {Rule::transfer_encoding_unsupported, "Transfer-Encoding: ,chunked\r\n"},
    {Rule::transfer_encoding_unsupported, "Transfer-Encoding: chunked;a=b\r\n"},
    {Rule::transfer_encoding_invalid, "Transfer-Encoding: \"chunked\"\r\n"},
    {Rule::transfer_encoding_invalid, "Transfer-Encoding: xchunked\r\n"},
    {Rule::transfer_encoding_invalid, "Transfer-Encoding: chunked\xa0\r\n"},
    {Rule::transfer_encoding_repeated,
     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"},
    {Rule::transfer_encoding_repeated,
     "Transfer-Encoding: chunked\r\nTransfer-encoding: identity\r\n"},
    {Rule::length_and_transfer_encoding, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"},
    {Rule::length_and_transfer_encoding, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"},
    {Rule::length_and_transfer_encoding, "Transfer-Encoding: x\r\nContent-Length: 0\r\n"},
};

const Bad kBadHosts[] = {
    {Rule::host_missing, "GET / HTTP/1.1\r\n"},
    {Rule::host_missing, "GET http://x/ HTTP/1.1\r\n"},
    {Rule::host_repeated, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n"},
    {Rule::host_repeated, "GET / HTTP/1.0\r\nHost: a\r\nHOST: b\r\n"},
    {Rule::host_invalid, "GET / HTTP/1.1\r\nHost:\r\n"},
    {Rule::host_invalid, "GET / HTTP/1.1\r\nHost: a b\r\n"},
    {Rule::host_invalid, "GET / HTTP/1.1\r\nHost: u@a\r\n"},
    {Rule::host_invalid, "GET / HTTP/1.1\r\nHost: a/b\r\n"},
    {Rule::host_invalid, "GET / HTTP/1.1\r\nHost: http://a\r\n"},
    {Rule::host_invalid, "GET / HTTP/1.1\r\nHost: a:b\r\n"},
    {Rule::host_invalid, "GET http://x/ HTTP/1.1\r\nHost: a?\r\n"},
    {Rule::transfer_encoding_in_http_1_0,
     "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"},
    {Rule::connection_options_too_many,
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"
     "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"},
};

const Bad kBadStatusLines[] = {
    {Rule::status_line_malformed, "HTTX/1.1 200 OK\r\n"},
    {Rule::status_line_malformed, " HTTP/1.1 200 OK\r\n"},
    {Rule::status_line_malformed, "\r\nHTTP/1.1 200 OK\r\n"},
    {Rule::status_line_malformed, "HTTP/1.1\r\n"},
    {Rule::status_line_malformed, "HTTP/1.1\t200 OK\r\n"},
    {Rule::status_line_malformed, "HTTP/1.12 200 OK\r\n"},
    {Rule::version_malformed, "HTTP/1 200 OK\r\n"},
    {Rule::version_malformed, "HTTP/ 200 OK\r\n"},
    {Rule::version_unsupported, "HTTP/2.0 200 OK\r\n"},
    {Rule::version_unsupported, "HTTP/1.2 200 OK\r\n"},
    {Rule::status_invalid, "HTTP/1.1 \r\n"},
    {Rule::status_invalid, "HTTP/1.1  200 OK\r\n"},
    {Rule::status_invalid, "HTTP/1.1 20 OK\r\n"},
    {Rule::status_invalid, "HTTP/1.1 2000 OK\r\n"},
    {Rule::status_invalid, "HTTP/1.1 2x0 OK\r\n"},
    {Rule::status_invalid, "HTTP/1.1 099 OK\r\n"},
    {Rule::status_invalid, "HTTP/1.1 600 OK\r\n"},
    {Rule::status_invalid, "HTTP/1.1 200\tOK\r\n"},
    {Rule::reason_invalid, "HTTP/1.1 200 O\x01K\r\n"},
    {Rule::bare_lf, "HTTP/1.1 200\n"},
    {Rule::bare_lf, "HTTP/1.1 200 OK\n"},
    {Rule::bare_cr, "HTTP/1.1 200 O\rK\r\n"},
    {Rule::transfer_encoding_in_http_1_0, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n"},
};

// Whole and in any pieces it is refused for the same rule, as a mistake of the right side.
void expect_refused(Message message, Rule rule, std::string bytes) {
  bytes += "\r\n";
  const Reader reader{.message = message};
  const Outcome outcome = test::parse(reader, bytes);
  EXPECT_EQ(row_of(outcome.rule).word, row_of(rule).word) << bytes;
  EXPECT_EQ(outcome.status, ParseStatus::failed) << bytes;
  EXPECT_EQ(outcome.consumed, 0u) << bytes;
  const RuleRow& row = row_of(rule);
  EXPECT_EQ(outcome.kind, message == Message::request ? row.request_kind : row.response_kind);
  for (std::size_t piece = 1; piece < bytes.size(); ++piece) {
    ASSERT_EQ(test::parse_in_pieces(reader, bytes, piece), outcome) << piece << " of " << bytes;
  }
}

TEST(Smuggling, BadRequestLinesAreRefused) {
  for (const Bad& bad : kBadLines) {
    expect_refused(Message::request, bad.rule, bad.bytes + "Host: h\r\n");
  }
}

TEST(Smuggling, BadHostsAreRefused) {
  for (const Bad& bad : kBadHosts) expect_refused(Message::request, bad.rule, bad.bytes);
}

TEST(Smuggling, BadStatusLinesAreRefused) {
  for (const Bad& bad : kBadStatusLines) expect_refused(Message::response, bad.rule, bad.bytes);
}

TEST(Smuggling, BadFieldsAreRefusedOnBothSides) {
  for (const Bad& bad : kBadFields) {
    expect_refused(Message::request, bad.rule, "POST / HTTP/1.1\r\nHost: h\r\n" + bad.bytes);
    expect_refused(Message::request, bad.rule,
                   "POST / HTTP/1.1\r\n" + bad.bytes + "Host: h\r\nX: y\r\n");
    expect_refused(Message::response, bad.rule, "HTTP/1.1 200 OK\r\n" + bad.bytes);
  }
}

TEST(Smuggling, EveryRuleOfAHeadHasAnExample) {
  std::set<Rule> seen = {Rule::none,
                         Rule::head_too_large,  // the tests of limits break these
                         Rule::fields_too_many, Rule::target_too_long};
  for (const Bad& bad : kBadLines) seen.insert(bad.rule);
  for (const Bad& bad : kBadFields) seen.insert(bad.rule);
  for (const Bad& bad : kBadHosts) seen.insert(bad.rule);
  for (const Bad& bad : kBadStatusLines) seen.insert(bad.rule);
  for (int i = 0; i < static_cast<int>(Rule::chunk_size_invalid); ++i) {
    EXPECT_TRUE(seen.contains(static_cast<Rule>(i))) << row_of(static_cast<Rule>(i)).word;
  }
}

// One byte after another replaced by every other byte: whatever is accepted must survive being
// written and read again, so that the next hop understands what was understood here.
TEST(Smuggling, WhateverIsAcceptedMeansTheSameToTheNextHop) {
  const Reader reader;
  const std::string good =
      "POST /a?b HTTP/1.1\r\nHost: h:1\r\nConnection: X, close\r\nX: y\r\nTransfer-Encoding: "
      "chunked\r\nC: d\r\n\r\n";
  int accepted = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(byte);
      const Outcome outcome = test::parse(reader, bytes);
      if (outcome.status != ParseStatus::complete) continue;
      ++accepted;
      const Outcome again = test::parse(reader, outcome.written);
      ASSERT_EQ(again.meaning, outcome.meaning) << bytes;
      ASSERT_EQ(again.consumed, outcome.written.size()) << bytes;
    }
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace weir::http1
