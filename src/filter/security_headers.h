#pragma once
// security_headers: fields by which browsers guard a page, on all answers, errors included. What a
// server says itself stays.

#include <string>
#include <vector>

#include "config/description.h"
#include "filter/field_edit.h"
#include "proxy/http/filter.h"
#include "proxy/template.h"

namespace weir::filter {

// A value of a field; its text is `off` where it is not written.
proxy::ResponseTemplate make_response_template(std::string_view text);

struct SecurityHeadersSettings {
  proxy::ResponseTemplate x_frame_options = make_response_template("DENY");
  proxy::ResponseTemplate x_content_type_options = make_response_template("nosniff");
  proxy::ResponseTemplate x_xss_protection = make_response_template("1; mode=block");
  proxy::ResponseTemplate referrer_policy =
      make_response_template("strict-origin-when-cross-origin");
  proxy::ResponseTemplate content_security_policy = make_response_template("off");
  proxy::ResponseTemplate strict_transport_security = make_response_template("off");
};

template <class V>
void describe(V& v, SecurityHeadersSettings& s) {
  v.field("x_frame_options", s.x_frame_options, "X-Frame-Options; `off`: it is not written.");
  v.field("x_content_type_options", s.x_content_type_options, "X-Content-Type-Options, or `off`.");
  v.field("x_xss_protection", s.x_xss_protection, "X-XSS-Protection, or `off`.");
  v.field("referrer_policy", s.referrer_policy, "Referrer-Policy, or `off`.");
  v.field("content_security_policy", s.content_security_policy, "Content-Security-Policy, if any.");
  v.field("strict_transport_security", s.strict_transport_security,
          "Strict-Transport-Security, if any; clients heed it over TLS only.");
}

class SecurityHeaders final : public proxy::Filter {
 public:
  SecurityHeaders(std::string_view name, config::Position position,
                  const SecurityHeadersSettings& settings);

  std::string summary() const override;
  Result<void> on_response(proxy::Exchange& x, http::ResponseHead& head,
                           proxy::Origin origin) const noexcept override;

 private:
  std::vector<FieldEdit> edits_;
};

}  // namespace weir::filter
