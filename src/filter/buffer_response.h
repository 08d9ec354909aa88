#pragma once
// buffer_response: what a server answers is taken as fast as it comes, and waits here for the
// client, so that a slow one does not hold the server. Nothing waits for the whole: the client gets
// what there is.

#include "filter/body_store_settings.h"
#include "proxy/http/filter.h"

namespace weir::filter {

struct BufferResponseSettings : BodyStoreSettings {};

class BufferResponse final : public proxy::Filter {
 public:
  BufferResponse(std::string_view name, config::Position position,
                 const BufferResponseSettings& settings)
      : Filter(name, position), store_(make_store(settings)) {}
  static void check(const BufferResponseSettings& settings, config::Position position,
                    config::Problems& problems) {
    filter::check(settings, position, problems);
  }

  std::string summary() const override { return summary_of(store_); }
  const proxy::BodyStore* response_store() const noexcept override { return &store_; }

 private:
  proxy::BodyStore store_;
};

}  // namespace weir::filter
