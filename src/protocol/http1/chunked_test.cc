#include "protocol/http1/chunked.h"

#include <array>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "protocol/http1/write_head.h"

namespace weir::http1 {
namespace {

struct Decoded {
  std::string data;
  ChunkedStatus status = ChunkedStatus::more;
  Rule rule = Rule::none;
  std::size_t consumed = 0;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

// Feeds one piece, from memory of exactly its size, until it is used up or the body is over.
void feed(ChunkedDecoder& decoder, std::string_view piece, Decoded& decoded) {
  const std::vector<char> copy(piece.begin(), piece.end());
  std::string_view left(copy.data(), copy.size());
  while (!left.empty()) {
    const ChunkedResult result = decoder.feed(left);
    decoded.status = result.status;
    decoded.data += result.data;
    decoded.consumed += result.consumed;
    ASSERT_LE(result.consumed, left.size());
    if (result.status == ChunkedStatus::failed) {
      ASSERT_EQ(result.error.kind, ErrorKind::bad_request_body);
      decoded.rule = find_rule(result.error);
      return;
    }
    if (result.status == ChunkedStatus::end) return;
    ASSERT_GT(result.consumed, 0u);
    left.remove_prefix(result.consumed);
  }
}

Decoded decode(std::string_view bytes, std::size_t piece_bytes) {
  ChunkedDecoder decoder;
  Decoded decoded;
  while (!bytes.empty() && decoded.status <= ChunkedStatus::data) {
    feed(decoder, bytes.substr(0, piece_bytes), decoded);
    bytes.remove_prefix(std::min(piece_bytes, bytes.size()));
  }
  if (decoded.status == ChunkedStatus::data) decoded.status = ChunkedStatus::more;
  return decoded;
}

Decoded decode(std::string_view bytes) { return decode(bytes, bytes.size()); }

constexpr std::string_view kBodies[] = {
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
    "0000000000000001\r\nx\r\n000\r\n\r\n",
    "A;a=b;c=\"d\"\r\n0123456789\r\n0;x\r\n\r\n",
    "1;a=\";\\\"\t=\xff\" ;b\t= c;d\r\nx\r\n0\r\n\r\n",
    "1 \t; a\r\nx\r\n0\r\n\r\n",
    "1\r\nx\r\n0\r\nTrailer: value\r\nEmpty:\r\nOther:\t\xff \r\n\r\nrest",
};

TEST(Chunked, GivesTheDataOfAllChunks) {
  EXPECT_EQ(decode("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").data, "hello world");
  EXPECT_EQ(decode("aB\r\n" + std::string(0xab, 'x') + "\r\n0\r\n\r\n").data.size(), 0xabu);
  for (const std::string_view body : kBodies) {
    EXPECT_EQ(decode(body).status, ChunkedStatus::end) << body;
  }
}

TEST(Chunked, LeavesWhatFollowsTheBody) {
  constexpr std::string_view kBody = "1\r\nx\r\n0\r\nA: b\r\n\r\n";
  EXPECT_EQ(decode(std::string(kBody) + "GET / HTTP/1.1\r\n").consumed, kBody.size());
}

TEST(Chunked, SaysEndOnlyWhenTheBodyIsComplete) {
  for (const std::string_view body : kBodies) {
    const std::size_t size = decode(body).consumed;
    for (std::size_t cut = 0; cut < size; ++cut) {
      EXPECT_EQ(decode(body.substr(0, cut)).status, ChunkedStatus::more) << body.substr(0, cut);
    }
  }
}

struct BadBody {
  Rule rule;
  std::string_view bytes;
};

constexpr BadBody kBadBodies[] = {
    {Rule::chunk_size_invalid, "\r\n"},
    {Rule::chunk_size_invalid, ";a\r\n"},
    {Rule::chunk_size_invalid, " 5\r\n"},
    {Rule::chunk_size_invalid, "+5\r\n"},
    {Rule::chunk_size_invalid, "-5\r\n"},
    {Rule::chunk_size_invalid, "0x5\r\n"},
    {Rule::chunk_size_invalid, "5\nhello"},
    {Rule::chunk_size_invalid, "5\rhello"},
    {Rule::chunk_size_invalid, "5 \r\nhello"},
    {Rule::chunk_size_invalid, "5 5\r\nhello"},
    {Rule::chunk_size_invalid, "5,\r\nhello"},
    {Rule::chunk_size_invalid, "1\r\nx\r\n\r\n"},
    {Rule::chunk_size_too_large, "00000000000000001\r\nx"},
    {Rule::chunk_size_too_large, "fffffffffffffffff\r\nx"},
    {Rule::chunk_extension_invalid, "5;a\nhello"},
    {Rule::chunk_extension_invalid, "5;a=\"\n\"\r\n"},
    {Rule::chunk_extension_invalid, "5;\x7f\r\n"},
    {Rule::chunk_extension_invalid, "5;\r\n"},
    {Rule::chunk_extension_invalid, "5;a;\r\n"},
    {Rule::chunk_extension_invalid, "5;;a\r\n"},
    {Rule::chunk_extension_invalid, "5;=b\r\n"},
    {Rule::chunk_extension_invalid, "5;a=\r\n"},
    {Rule::chunk_extension_invalid, "5;a=b=c\r\n"},
    {Rule::chunk_extension_invalid, "5;a b\r\n"},
    {Rule::chunk_extension_invalid, "5;a \r\n"},
    {Rule::chunk_extension_invalid, "5;a=b \r\n"},
    {Rule::chunk_extension_invalid, "5;a=\"b\r\n"},
    {Rule::chunk_extension_invalid, "5;a=\"b\\\"\r\n"},
    {Rule::chunk_extension_invalid, "5;a=\"b\"c\r\n"},
    {Rule::chunk_extension_invalid, "5;a=b\"c\"\r\n"},
    {Rule::chunk_end_missing, "5\r\nhello!\r\n"},
    {Rule::chunk_end_missing, "5\r\nhello\n0\r\n\r\n"},
    {Rule::chunk_end_missing, "5\r\nhello0\r\n\r\n"},
    {Rule::chunk_end_missing, "5\r\nhello\r0\r\n\r\n"},
    {Rule::bare_lf, "0\r\n\n"},
    {Rule::bare_lf, "0\r\nA: b\n\r\n"},
    {Rule::bare_lf, "0\r\nA\n\r\n"},
    {Rule::bare_cr, "0\r\n\rx"},
    {Rule::bare_cr, "0\r\nA: b\rc\r\n\r\n"},
    {Rule::line_folded, "0\r\nA: b\r\n c\r\n\r\n"},
    {Rule::line_folded, "0\r\n\tc\r\n\r\n"},
    {Rule::field_name_empty, "0\r\n: b\r\n\r\n"},
    {Rule::field_name_space, "0\r\nA : b\r\n\r\n"},
    {Rule::field_name_invalid, "0\r\nA\r\n\r\n"},
    {Rule::field_name_invalid, "0\r\nA(b): c\r\n\r\n"},
    {Rule::field_value_invalid, "0\r\nA: \x01\r\n\r\n"},
};

TEST(Chunked, RefusesWhatBreaksARule) {
  for (const BadBody& bad : kBadBodies) {
    EXPECT_EQ(row_of(decode(bad.bytes).rule).word, row_of(bad.rule).word) << bad.bytes;
  }
}

TEST(Chunked, BoundsExtensionsAndTrailers) {
  const std::string extension(kChunkExtensionBytesMax - 1, 'x');
  EXPECT_EQ(decode("1;" + extension + "\r\nx\r\n1;" + extension + "\r\ny\r\n").rule, Rule::none);
  EXPECT_EQ(decode("1;x" + extension + "\r\n").rule, Rule::chunk_extension_too_long);
  EXPECT_EQ(decode("1" + std::string(kChunkExtensionBytesMax + 2, ' ')).rule,
            Rule::chunk_extension_too_long);
  std::string trailers = "0\r\n";
  while (trailers.size() < 2 * kTrailerBytesMax) trailers += "A: bcdefghijklmn\r\n";
  EXPECT_EQ(decode(trailers).rule, Rule::trailers_too_large);
}

TEST(Chunked, StaysFailedAndStaysAtTheEnd) {
  ChunkedDecoder broken;
  EXPECT_EQ(broken.feed("x").status, ChunkedStatus::failed);
  const ChunkedResult again = broken.feed("5\r\n");
  EXPECT_EQ(again.status, ChunkedStatus::failed);
  EXPECT_EQ(again.consumed, 0u);
  EXPECT_EQ(find_rule(again.error), Rule::chunk_size_invalid);
  ChunkedDecoder whole;
  EXPECT_EQ(whole.feed("0\r\n\r\n").status, ChunkedStatus::end);
  EXPECT_EQ(whole.feed("5").consumed, 0u);
  EXPECT_EQ(whole.feed("5").status, ChunkedStatus::end);
}

TEST(Chunked, IsTheSameInAnyPieces) {
  std::vector<std::string_view> all(std::begin(kBodies), std::end(kBodies));
  for (const BadBody& bad : kBadBodies) all.push_back(bad.bytes);
  for (const std::string_view bytes : all) {
    const Decoded whole = decode(bytes);
    for (std::size_t piece = 1; piece < bytes.size(); ++piece) {
      EXPECT_EQ(decode(bytes, piece), whole) << piece << " of " << bytes;
    }
  }
}

TEST(Chunked, ReadsWhatIsWritten) {
  Random random(7);
  for (int run = 0; run < 200; ++run) {
    std::string body, bytes;
    for (std::uint32_t chunk = random.below(6); chunk != 0; --chunk) {
      const std::string data(1 + random.below(5000), static_cast<char>(random.next()));
      std::array<char, kChunkHeaderBytesMax> header;
      bytes.append(header.data(), write_chunk_header(header, data.size()));
      bytes += data;
      bytes += kChunkEnd;
      body += data;
    }
    bytes += kLastChunk;
    const Decoded decoded = decode(bytes, 1 + random.below(3000));
    EXPECT_EQ(decoded.status, ChunkedStatus::end);
    EXPECT_EQ(decoded.data, body);
    EXPECT_EQ(decoded.consumed, bytes.size());
  }
}

TEST(ChunkHeader, FitsTheLargestChunk) {
  std::array<char, kChunkHeaderBytesMax> out;
  EXPECT_EQ(std::string_view(out.data(), write_chunk_header(out, 26)), "1a\r\n");
  EXPECT_EQ(std::string_view(out.data(), write_chunk_header(out, UINT64_MAX)),
            "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace weir::http1
