#include "filter/redirect.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "filter/field_edit.h"
#include "proxy/http/answer.h"

namespace weir::filter {

std::expected<void, std::string> parse_scalar(std::string_view text, RedirectStatus& out) {
  constexpr std::array<std::uint16_t, 5> kAllowed = {301, 302, 303, 307, 308};
  std::uint16_t status = 0;
  if (!config::parse_scalar(text, status) ||
      std::ranges::find(kAllowed, status) == kAllowed.end()) {
    return std::unexpected(std::string());
  }
  out.value = status;
  return {};
}

std::string print_scalar(const RedirectStatus& status) { return std::to_string(status.value); }

Redirect::Redirect(std::string_view name, config::Position position,
                   const RedirectSettings& settings)
    : Filter(name, position),
      settings_(settings),
      body_(fmt::format("{} {}\n", settings.status.value,
                        http::reason_phrase(settings.status.value))) {}

std::string Redirect::summary() const {
  return fmt::format("{} to {}", settings_.status.value, settings_.to.text());
}

Result<proxy::Verdict> Redirect::on_request(proxy::Exchange& x) const noexcept {
  const std::string_view to = WEIR_TRY(write_value(x, settings_.to, nullptr));
  const bool is_made =
      proxy::set_answer(x, settings_.status.value, "text/plain; charset=utf-8", body_) &&
      proxy::add_field(x, x.response.fields, {.name = "Location", .value = to});
  if (!is_made) return fail(ErrorKind::buffers_exhausted, Side::weir);
  return proxy::Verdict::reply;
}

}  // namespace weir::filter
