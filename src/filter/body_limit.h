#pragma once
// body_limit: the largest body of a request, for some routes or backends alone. Untrusted client:
// what it announces and what it sends are both counted.

#include "base/byte_count.h"
#include "config/description.h"
#include "proxy/http/filter.h"

namespace weir::filter {

struct BodyLimitSettings {
  ByteCount bytes{std::uint64_t{1} << 20};
};

template <class V>
void describe(V& v, BodyLimitSettings& s) {
  v.field("bytes", s.bytes, "Most bytes of a body; 0 lets none pass.");
}

class BodyLimit final : public proxy::Filter {
 public:
  BodyLimit(std::string_view name, config::Position position, const BodyLimitSettings& settings)
      : Filter(name, position), bytes_max_(settings.bytes) {}

  std::string summary() const override;
  Result<proxy::Verdict> on_request(proxy::Exchange& x) const noexcept override;
  Result<proxy::BodyFilter*> wrap_request_body(proxy::Exchange& x,
                                               net::BodySource& body) const noexcept override;

 private:
  ByteCount bytes_max_;
};

}  // namespace weir::filter
