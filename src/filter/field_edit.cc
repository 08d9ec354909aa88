#include "filter/field_edit.h"

#include <algorithm>
#include <array>
#include <utility>

#include "protocol/http/authority.h"
#include "protocol/http/characters.h"
#include "proxy/http/answer.h"

namespace weir::filter {
namespace {

using http::Field;
using http::FieldId;
using http::Scope;

bool is_written_at_every_hop(FieldId id) noexcept {
  switch (id) {
    case FieldId::connection:
    case FieldId::content_length:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::trailer:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::expected<void, std::string> parse_scalar(std::string_view text, FieldName& out) {
  const bool is_token = !text.empty() && std::ranges::all_of(text, [](char c) {
    return http::is_in(http::CharacterClass::token, c);
  });
  if (!is_token) return std::unexpected(std::string());
  const FieldId id = http::find_field_id(text);
  if (is_written_at_every_hop(id)) return std::unexpected("every hop writes this field anew");
  out = {.text = std::string(text), .id = id};
  return {};
}

std::string print_scalar(const FieldName& name) { return name.text; }

Result<std::string_view> write_value(proxy::Exchange& x, const proxy::Template& value,
                                     const http::ResponseHead* response) noexcept {
  if (const auto constant = value.constant()) return *constant;
  std::array<char, Arena::bytes_max()> space;
  const proxy::ValueSource source = response == nullptr ? source_of(x) : source_of(x, *response);
  const auto bytes = value.write(source, space);
  if (!bytes) {
    return response == nullptr ? fail(ErrorKind::head_too_large, Side::client)
                               : fail(ErrorKind::response_head_too_large, Side::server);
  }
  const std::string_view written = x.arena.copy({space.data(), *bytes});
  if (written.data() == nullptr) return fail(ErrorKind::buffers_exhausted, Side::weir);
  return written;
}

FieldEdit::FieldEdit(FieldAction action, FieldName name, proxy::Template value)
    : action_(action), name_(std::move(name)), value_(std::move(value)) {}

std::string FieldEdit::summary() const {
  constexpr std::array<std::string_view, 4> kActions = {"set ", "set if absent ", "add ",
                                                        "remove "};
  return std::string(kActions[static_cast<std::size_t>(action_)]) + name_.text;
}

bool FieldEdit::is_named(const Field& field) const noexcept {
  if (field.scope == Scope::hop_by_hop || field.id != name_.id) return false;
  return name_.id != FieldId::other || http::equals_ignoring_case(field.name, name_.text);
}

Result<void> FieldEdit::edit(proxy::Exchange& x, http::ResponseHead* response) const noexcept {
  http::FieldList& fields = response == nullptr ? x.request.fields : response->fields;
  const auto named = [this](const Field& field) { return is_named(field); };
  if (action_ == FieldAction::set_if_absent && std::ranges::any_of(fields, named)) return {};
  // It may be made of what is about to be replaced.
  const std::string_view value = WEIR_TRY(write_value(x, value_, response));
  const Field written{.name = name_.text, .value = value, .id = name_.id};
  bool is_to_write = action_ != FieldAction::remove && !value.empty();
  for (Field& field : fields) {
    if (action_ == FieldAction::add || !is_named(field)) continue;
    field = is_to_write ? written : http::kRemovedField;
    is_to_write = false;
  }
  if (is_to_write && !add_field(x, fields, written)) {
    return fail(ErrorKind::buffers_exhausted, Side::weir);
  }
  return {};
}

Result<void> FieldEdit::edit_request(proxy::Exchange& x) const noexcept {
  if (name_.id != FieldId::host) return edit(x, nullptr);
  if (action_ == FieldAction::set_if_absent && !x.request.authority.empty()) return {};
  const std::string_view authority = WEIR_TRY(write_value(x, value_, nullptr));
  if (http::parse_authority(authority)) x.request.authority = authority;
  return {};
}

Result<void> FieldEdit::edit_response(proxy::Exchange& x, http::ResponseHead& head) const noexcept {
  return edit(x, &head);
}

}  // namespace weir::filter
