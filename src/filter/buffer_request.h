#pragma once
// buffer_request: the whole body of a request comes before a server is asked, so that a slow client
// does not hold one; and a request that may be sent again can be, whatever its size.

#include "filter/body_store_settings.h"
#include "proxy/http/filter.h"

namespace weir::filter {

struct BufferRequestSettings : BodyStoreSettings {};

class BufferRequest final : public proxy::Filter {
 public:
  BufferRequest(std::string_view name, config::Position position,
                const BufferRequestSettings& settings)
      : Filter(name, position), store_(make_store(settings)) {}
  static void check(const BufferRequestSettings& settings, config::Position position,
                    config::Problems& problems) {
    filter::check(settings, position, problems);
  }

  std::string summary() const override { return summary_of(store_); }
  bool is_async() const noexcept override { return true; }
  Task<Result<proxy::Verdict>> on_request_async(proxy::Exchange& x) const override;

 private:
  proxy::BodyStore store_;
};

}  // namespace weir::filter
