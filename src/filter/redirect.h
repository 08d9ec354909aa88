#pragma once
// redirect: sends clients elsewhere (RFC 9110 15.4). Where to may be made of what they send, which
// cannot add a field (proxy/template.h) but may name any place that the template leaves open.

#include <string>

#include "config/description.h"
#include "proxy/http/filter.h"
#include "proxy/template.h"

namespace weir::filter {

// 301, 302, 303, 307 or 308.
struct RedirectStatus {
  std::uint16_t value = 302;
};

// For the configuration reader (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, RedirectStatus& out);
std::string print_scalar(const RedirectStatus& status);
constexpr config::ScalarInfo scalar_info(std::type_identity<RedirectStatus>) {
  return {"301, 302, 303, 307 or 308", "", R"("enum": [301, 302, 303, 307, 308])",
          config::Quotes::allowed};
}

struct RedirectSettings {
  proxy::RequestTemplate to;
  RedirectStatus status;
};

template <class V>
void describe(V& v, RedirectSettings& s) {
  v.field("to", s.to, "The Location: text with values of the request.").required().length_min(1);
  v.field("status", s.status, "301 and 308 are for ever; 307 and 308 keep the method.");
}

class Redirect final : public proxy::Filter {
 public:
  Redirect(std::string_view name, config::Position position, const RedirectSettings& settings);

  std::string summary() const override;
  bool always_replies() const noexcept override { return true; }
  Result<proxy::Verdict> on_request(proxy::Exchange& x) const noexcept override;

 private:
  RedirectSettings settings_;
  std::string body_;
};

}  // namespace weir::filter
