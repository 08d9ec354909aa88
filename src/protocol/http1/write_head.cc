#include "protocol/http1/write_head.h"

#include <charconv>
#include <cstring>

#include "base/assert.h"

namespace weir::http1 {
namespace {

using http::Framing;
using http::Scope;

// Appends to a span. After the first text that does not fit it takes nothing more.
class HeadWriter {
 public:
  explicit HeadWriter(std::span<char> out) noexcept
      : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  void put(std::string_view text) noexcept {
    if (text.size() > static_cast<std::size_t>(end_ - at_)) {
      overflow();
      return;
    }
    at_ += text.copy(at_, text.size());
  }

  void put_number(std::uint64_t number) noexcept {
    const auto [stop, error] = std::to_chars(at_, end_, number);
    if (error != std::errc()) {
      overflow();
      return;
    }
    at_ = stop;
  }

  void put_fields(const http::FieldList& fields) noexcept {
    for (const http::Field& field : fields) {
      if (field.scope == Scope::hop_by_hop) continue;
      WEIR_ASSERT(!field.name.empty());
      WEIR_ASSERT(field.value.find_first_of("\r\n") == std::string_view::npos);
      put(field.name);
      put(": ");
      put(field.value);
      put("\r\n");
    }
  }

  void put_framing(const http::BodyLength& body) noexcept {
    switch (body.framing) {
      case Framing::none:
      case Framing::until_close:
        return;
      case Framing::chunked:
        put("Transfer-Encoding: chunked\r\n");
        return;
      case Framing::length:
        put("Content-Length: ");
        put_number(body.bytes);
        put("\r\n");
        return;
    }
  }

  std::optional<std::size_t> size() const noexcept {
    if (!fits_) return std::nullopt;
    return static_cast<std::size_t>(at_ - begin_);
  }

 private:
  void overflow() noexcept {
    fits_ = false;
    end_ = at_;
  }

  char* begin_;
  char* at_;
  char* end_;
  bool fits_ = true;
};

void put_target(HeadWriter& writer, const http::RequestHead& head) noexcept {
  if (head.method == http::Method::connect) {
    writer.put(head.authority);
    return;
  }
  writer.put(head.path);
  if (head.query.data() != nullptr) {
    writer.put("?");
    writer.put(head.query);
  }
}

}  // namespace

std::optional<std::size_t> write_request_head(std::span<char> out,
                                              const http::RequestHead& head) noexcept {
  WEIR_ASSERT(head.body.framing != Framing::until_close);
  HeadWriter writer(out);
  writer.put(head.method_text);
  writer.put(" ");
  put_target(writer, head);
  writer.put(" HTTP/1.1\r\nHost: ");
  writer.put(head.authority);
  writer.put("\r\n");
  writer.put_fields(head.fields);
  writer.put_framing(head.body);
  writer.put("\r\n");
  return writer.size();
}

std::optional<std::size_t> write_response_head(std::span<char> out, const http::ResponseHead& head,
                                               ConnectionField connection) noexcept {
  WEIR_ASSERT(head.status >= 100);
  WEIR_ASSERT(head.status <= 599);
  HeadWriter writer(out);
  writer.put("HTTP/1.1 ");
  writer.put_number(head.status);
  writer.put(" ");
  writer.put(head.reason);
  writer.put("\r\n");
  writer.put_fields(head.fields);
  writer.put_framing(head.body);
  switch (connection) {
    case ConnectionField::omit:
      break;
    case ConnectionField::close:
      writer.put("Connection: close\r\n");
      break;
    case ConnectionField::keep_alive:
      writer.put("Connection: keep-alive\r\n");
      break;
  }
  writer.put("\r\n");
  return writer.size();
}

std::size_t write_chunk_header(std::span<char, kChunkHeaderBytesMax> out,
                               std::uint64_t bytes) noexcept {
  WEIR_ASSERT(bytes != 0);
  char* const end = out.data() + out.size();
  char* const digits_end = std::to_chars(out.data(), end, bytes, 16).ptr;
  std::memcpy(digits_end, "\r\n", 2);
  return static_cast<std::size_t>(digits_end + 2 - out.data());
}

std::optional<std::size_t> write_trailers(std::span<char> out,
                                          const http::FieldList& fields) noexcept {
  HeadWriter writer(out);
  writer.put("0\r\n");
  writer.put_fields(fields);
  writer.put("\r\n");
  return writer.size();
}

}  // namespace weir::http1
