#include "filter/body_limit.h"

#include "config/scalars.h"
#include "proxy/http/exchange.h"

namespace weir::filter {
namespace {

const Error kTooLarge = make_error(ErrorKind::body_too_large, Side::client);

// For bodies that do not say their length.
class Counted final : public proxy::BodyFilter {
 public:
  Counted(net::BodySource& source, ByteCount bytes_max) noexcept
      : BodyFilter(source), bytes_left_(bytes_max.value) {}

  net::BodyRead try_read_body(std::span<char> into) noexcept override {
    const net::BodyRead read = source_.try_read_body(into);
    if (read.data.size() > bytes_left_) return net::BodyRead::failed(kTooLarge);
    bytes_left_ -= read.data.size();
    return read;
  }

 private:
  std::uint64_t bytes_left_;
};

}  // namespace

std::string BodyLimit::summary() const { return config::print_scalar(bytes_max_); }

Result<proxy::Verdict> BodyLimit::on_request(proxy::Exchange& x) const noexcept {
  const http::BodyLength& body = x.request.body;
  const bool is_known = body.framing == http::Framing::length;
  if (is_known && body.bytes > bytes_max_.value) return fail(kTooLarge);
  return proxy::Verdict::proceed;
}

Result<proxy::BodyFilter*> BodyLimit::wrap_request_body(proxy::Exchange& x,
                                                        net::BodySource& body) const noexcept {
  if (x.request.body.framing != http::Framing::chunked) return nullptr;
  Counted* const counted = x.make_body<Counted>(body, bytes_max_);
  if (counted == nullptr) return fail(ErrorKind::buffers_exhausted, Side::weir);
  return counted;
}

}  // namespace weir::filter
