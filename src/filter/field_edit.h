#pragma once
// FieldEdit: one change of the header fields of a message (RFC 9110 5), as filters make it.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"
#include "config/scalars.h"
#include "protocol/http/message.h"
#include "proxy/template.h"

namespace weir::proxy {
struct Exchange;
}

namespace weir::filter {

// Of a field that may be changed, which those that every hop writes anew are not.
struct FieldName {
  std::string text;
  http::FieldId id = http::FieldId::other;
};

// For the configuration reader (config/scalars.h).
std::expected<void, std::string> parse_scalar(std::string_view text, FieldName& out);
std::string print_scalar(const FieldName& name);
constexpr config::ScalarInfo scalar_info(std::type_identity<FieldName>) {
  return {"a field name", "X-Team", R"("type": "string")", config::Quotes::allowed};
}

// set: whatever has the name makes way.
enum class FieldAction : std::uint8_t { set, set_if_absent, add, remove };

// A field whose value turns out empty is not written.
class FieldEdit {
 public:
  // remove has no use for a value. An id of Host is for requests only, and to be set.
  FieldEdit(FieldAction action, FieldName name, proxy::Template value);

  // For explain: "set X-Team".
  std::string summary() const;

  // Fail if a value is too long, or if there is no memory; the message may then be changed in part.
  // Host: the request's authority is what changes, if the value is one. Worker.
  Result<void> edit_request(proxy::Exchange& x) const noexcept;
  Result<void> edit_response(proxy::Exchange& x, http::ResponseHead& head) const noexcept;

 private:
  Result<void> edit(proxy::Exchange& x, http::ResponseHead* response) const noexcept;
  bool is_named(const http::Field& field) const noexcept;

  FieldAction action_;
  FieldName name_;
  proxy::Template value_;
};

// In the exchange's arena, unless it is the same for every exchange. `response`: the one on its
// way, if it is; fails as edit_response() does. Worker.
Result<std::string_view> write_value(proxy::Exchange& x, const proxy::Template& value,
                                     const http::ResponseHead* response) noexcept;

}  // namespace weir::filter
