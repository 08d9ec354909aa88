// Any bytes, read as a body in chunks: in any pieces they give the same data, trailers and end,
// which are those that a second reading of the RFC finds; and written anew the data is read again.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "plain_http1.h"
#include "protocol/http1/chunked.h"
#include "protocol/http1/write_head.h"

namespace {

namespace plain = weir::plain;
using weir::http1::ChunkedDecoder;
using weir::http1::ChunkedResult;
using weir::http1::ChunkedStatus;

struct Decoded {
  std::string data;
  std::string trailers;
  ChunkedStatus status = ChunkedStatus::more;
  weir::Error error;
  std::size_t consumed = 0;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

void require(bool condition) {
  if (!condition) std::abort();
}

// The piece ends where its memory does.
void feed(ChunkedDecoder& decoder, std::string_view piece, Decoded& decoded) {
  const std::vector<char> copy(piece.begin(), piece.end());
  std::string_view left(copy.data(), copy.size());
  while (!left.empty() && decoded.status == ChunkedStatus::more) {
    const ChunkedResult result = decoder.feed(left);
    require(result.consumed > 0 && result.consumed <= left.size());
    if (!result.data.empty()) {
      require(result.data.data() + result.data.size() == left.data() + result.consumed);
      require(result.data.size() <= result.consumed);
    }
    require((result.status == ChunkedStatus::data) == !result.data.empty());
    decoded.data += result.data;
    decoded.trailers += result.trailers;
    decoded.consumed += result.consumed;
    decoded.error = result.error;
    if (result.status != ChunkedStatus::data) decoded.status = result.status;
    left.remove_prefix(result.consumed);
  }
}

Decoded decode(std::string_view bytes, std::size_t piece_bytes) {
  ChunkedDecoder decoder;
  Decoded decoded;
  while (!bytes.empty() && decoded.status == ChunkedStatus::more) {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    feed(decoder, piece, decoded);
    bytes.remove_prefix(piece.size());
  }
  if (decoded.status == ChunkedStatus::failed) decoded.trailers.clear();  // as many as came before
  return decoded;
}

plain::Verdict verdict_of(ChunkedStatus status) {
  if (status == ChunkedStatus::end) return plain::Verdict::accepted;
  return status == ChunkedStatus::failed ? plain::Verdict::refused : plain::Verdict::incomplete;
}

void compare(std::string_view bytes, const Decoded& decoded) {
  const plain::Body body = plain::read_chunks(bytes);
  require(verdict_of(decoded.status) == body.verdict);
  require(decoded.data == body.data);
  if (body.verdict != plain::Verdict::accepted) return;
  require(decoded.consumed == body.bytes);
  require(decoded.trailers == body.trailers);
}

std::string write_anew(std::string_view data) {
  std::string bytes;
  for (std::size_t size = 1; !data.empty(); size *= 3) {
    const std::string_view chunk = data.substr(0, size);
    std::array<char, weir::http1::kChunkHeaderBytesMax> header;
    bytes.append(header.data(), weir::http1::write_chunk_header(header, chunk.size()));
    bytes.append(chunk).append(weir::http1::kChunkEnd);
    data.remove_prefix(chunk.size());
  }
  return bytes.append(weir::http1::kLastChunk);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  const Decoded whole = decode(body, size);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, size / 2 + 1}) {
    if (size / piece < 4096) require(decode(body, piece) == whole);
  }
  compare(body, whole);
  if (whole.status != ChunkedStatus::end) return 0;
  const std::string written = write_anew(whole.data);
  const Decoded again = decode(written, 5);
  require(again.status == ChunkedStatus::end);
  require(again.data == whole.data);
  require(again.consumed == written.size());
  return 0;
}
