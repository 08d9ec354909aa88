#include "filter/headers.h"

#include <algorithm>
#include <array>

#include "proxy/http/exchange.h"

namespace weir::filter {
namespace {

using proxy::Exchange;
using proxy::Origin;

FieldEdit make_edit(const EditSettings& settings, const proxy::Template* value) {
  const proxy::Template written = value == nullptr ? proxy::Template() : *value;
  if (settings.remove) return {FieldAction::remove, *settings.remove, written};
  if (settings.add) return {FieldAction::add, *settings.add, written};
  const FieldAction set = settings.if_absent ? FieldAction::set_if_absent : FieldAction::set;
  return {set, *settings.set, written};
}

void check_edit(const EditSettings& edit, const proxy::Template* value,
                config::Problems& problems) {
  if (edit.set.has_value() + edit.add.has_value() + edit.remove.has_value() != 1) {
    problems.error(edit.position, "an edit has exactly one of 'set', 'add' and 'remove'");
    return;
  }
  if (edit.remove && value != nullptr) {
    problems.error(edit.position, "'remove' takes no 'value'");
  }
  if (!edit.remove && value == nullptr) {
    problems.error(edit.position, "'set' and 'add' need a 'value'");
  }
  if (edit.if_absent && !edit.set) problems.error(edit.position, "'if_absent' is for 'set' only");
}

bool is_host(const std::optional<FieldName>& name) {
  return name && name->id == http::FieldId::host;
}

void add_summary(std::string& to, std::string_view word, const FieldEdit& edit) {
  if (!to.empty()) to += ", ";
  to += word;
  to += edit.summary();
}

}  // namespace

Headers::Headers(std::string_view name, config::Position position, const HeadersSettings& settings)
    : Filter(name, position), set_cookie_(settings.set_cookie) {
  for (const RequestEditSettings& edit : settings.request) {
    request_.push_back(make_edit(edit, edit.value ? &*edit.value : nullptr));
  }
  for (const ResponseEditSettings& edit : settings.response) {
    response_.push_back({.edit = make_edit(edit, edit.value ? &*edit.value : nullptr),
                         .status = edit.status,
                         .always = edit.always});
  }
}

void Headers::check(const HeadersSettings& settings, config::Position /*position*/,
                    config::Problems& problems) {
  for (const RequestEditSettings& edit : settings.request) {
    check_edit(edit, edit.value ? &*edit.value : nullptr, problems);
    if (is_host(edit.add) || is_host(edit.remove)) {
      problems.error(edit.position, "a request has exactly one Host: it can only be set");
    }
  }
  for (const ResponseEditSettings& edit : settings.response) {
    check_edit(edit, edit.value ? &*edit.value : nullptr, problems);
    if (is_host(edit.set) || is_host(edit.add) || is_host(edit.remove)) {
      problems.error(edit.position, "Host is a field of requests");
    }
  }
}

std::string Headers::summary() const {
  std::string text;
  for (const FieldEdit& edit : request_) add_summary(text, "request: ", edit);
  for (const ResponseEdit& edit : response_) add_summary(text, "response: ", edit.edit);
  for (const SetCookieSettings& edit : set_cookie_) {
    if (!text.empty()) text += ", ";
    text += "cookie " + edit.name.text;
  }
  return text;
}

Result<proxy::Verdict> Headers::on_request(Exchange& x) const noexcept {
  for (const FieldEdit& edit : request_) WEIR_TRY(edit.edit_request(x));
  return proxy::Verdict::proceed;
}

bool Headers::ResponseEdit::is_for(std::uint16_t of_response, Origin origin) const noexcept {
  if (origin == Origin::error && !always) return false;
  return status.empty() || std::ranges::any_of(status, [of_response](const StatusRange& range) {
           return range.contains(of_response);
         });
}

Result<void> Headers::on_response(Exchange& x, http::ResponseHead& head,
                                  Origin origin) const noexcept {
  for (const ResponseEdit& edit : response_) {
    if (!edit.is_for(head.status, origin)) continue;
    const Result<void> edited = edit.edit.edit_response(x, head);
    // The page of an error is worth more than a field in it.
    if (!edited && origin != Origin::error) return edited;
  }
  return origin == Origin::error ? Result<void>() : edit_cookies(x, head);
}

Result<void> Headers::edit_cookies(Exchange& x, http::ResponseHead& head) const noexcept {
  for (const SetCookieSettings& edit : set_cookie_) {
    for (http::Field& field : head.fields) {
      if (!http::equals_ignoring_case(field.name, "set-cookie")) continue;
      if (!is_cookie_of(field.value, edit)) continue;
      std::array<char, Arena::bytes_max()> space;
      const auto bytes = write_set_cookie(space, field.value, edit);
      if (!bytes) return fail(ErrorKind::response_head_too_large, Side::server);
      field.value = x.arena.copy({space.data(), *bytes});
      if (field.value.data() == nullptr) return fail(ErrorKind::buffers_exhausted, Side::weir);
    }
  }
  return {};
}

}  // namespace weir::filter
