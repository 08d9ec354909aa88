#pragma once
// respond: a fixed answer. Trusted: the configuration alone decides what is sent.

#include <string>

#include "config/description.h"
#include "proxy/http/filter.h"

namespace weir::filter {

struct RespondSettings {
  std::uint16_t status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

template <class V>
void describe(V& v, RespondSettings& s) {
  v.field("status", s.status, "Status of the answer.").range(200, 599);
  v.field("body", s.body, "The answer's body; 204 and 304 have none.").length_max(64 * 1024);
  v.field("content_type", s.content_type, "Media type of the body.").length_min(1).length_max(256);
}

class Respond final : public proxy::Filter {
 public:
  Respond(std::string_view name, config::Position position, const RespondSettings& settings)
      : Filter(name, position), settings_(settings) {}

  static void check(const RespondSettings& settings, config::Position position,
                    config::Problems& problems);

  std::string summary() const override;
  bool always_replies() const noexcept override { return true; }
  Result<proxy::Verdict> on_request(proxy::Exchange& x) const noexcept override;

 private:
  RespondSettings settings_;
};

}  // namespace weir::filter
