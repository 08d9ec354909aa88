#include "filter/respond.h"

#include <fmt/format.h>

#include "proxy/http/answer.h"

namespace weir::filter {

void Respond::check(const RespondSettings& settings, config::Position position,
                    config::Problems& problems) {
  const bool has_no_body = settings.status == 204 || settings.status == 304;
  if (!has_no_body || settings.body.empty()) return;
  problems.error(
      position, fmt::format("an answer with status {} has no body (RFC 9110 15)", settings.status));
}

std::string Respond::summary() const {
  return fmt::format("status {}, {} bytes of {}", settings_.status, settings_.body.size(),
                     settings_.content_type);
}

Result<proxy::Verdict> Respond::on_request(proxy::Exchange& x) const noexcept {
  const bool has_body = !settings_.body.empty();
  const std::string_view type = has_body ? std::string_view(settings_.content_type) : "";
  if (!proxy::set_answer(x, settings_.status, type, settings_.body)) {
    return fail(ErrorKind::buffers_exhausted, Side::weir);
  }
  return proxy::Verdict::reply;
}

}  // namespace weir::filter
