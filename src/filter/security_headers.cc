#include "filter/security_headers.h"

#include "base/assert.h"
#include "proxy/http/exchange.h"

namespace weir::filter {

proxy::ResponseTemplate make_response_template(std::string_view text) {
  proxy::ResponseTemplate made;
  const auto parsed = proxy::parse_scalar(text, made);
  WEIR_ASSERT(parsed.has_value());
  return made;
}

SecurityHeaders::SecurityHeaders(std::string_view name, config::Position position,
                                 const SecurityHeadersSettings& settings)
    : Filter(name, position) {
  const auto add = [this](std::string_view field, const proxy::Template& value) {
    if (value.text() == "off") return;
    edits_.emplace_back(FieldAction::set_if_absent, FieldName{.text = std::string(field)}, value);
  };
  add("X-Frame-Options", settings.x_frame_options);
  add("X-Content-Type-Options", settings.x_content_type_options);
  add("X-XSS-Protection", settings.x_xss_protection);
  add("Referrer-Policy", settings.referrer_policy);
  add("Content-Security-Policy", settings.content_security_policy);
  add("Strict-Transport-Security", settings.strict_transport_security);
}

std::string SecurityHeaders::summary() const {
  std::string text;
  for (const FieldEdit& edit : edits_) text += (text.empty() ? "" : ", ") + edit.summary();
  return text;
}

Result<void> SecurityHeaders::on_response(proxy::Exchange& x, http::ResponseHead& head,
                                          proxy::Origin origin) const noexcept {
  for (const FieldEdit& edit : edits_) {
    const Result<void> edited = edit.edit_response(x, head);
    // The page of an error is worth more than a field in it.
    if (!edited && origin != proxy::Origin::error) return edited;
  }
  return {};
}

}  // namespace weir::filter
