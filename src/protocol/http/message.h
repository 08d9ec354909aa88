#pragma once
// What an HTTP message head says, whatever wire format carried it (RFC 9110). Every view points
// into the buffer the head was read into, or into the exchange's arena; nothing here owns bytes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/assert.h"

namespace weir::http {

enum class Method : std::uint8_t {
  get,
  head,
  post,
  put,
  delete_,
  connect,
  options,
  trace,
  patch,
  other
};

enum class Version : std::uint8_t { http_1_0, http_1_1 };

// Fields that Weir itself reads; all others are `other`.
enum class FieldId : std::uint8_t {
  other,
  connection,
  content_length,
  content_type,
  cookie,
  date,
  expect,
  forwarded,
  host,
  keep_alive,
  max_forwards,
  proxy_connection,
  referer,
  server,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  user_agent,
  via,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_port,
  x_forwarded_proto,
  x_real_ip,
};

// Whether a field ends at this hop (RFC 9110 7.6.1): Connection itself, the fields it names, and
// those that every hop writes anew (framing, Host).
enum class Scope : std::uint8_t { end_to_end, hop_by_hop };

struct Field {
  std::string_view name;   // as received
  std::string_view value;  // without surrounding white space
  FieldId id = FieldId::other;
  Scope scope = Scope::end_to_end;
};

// What a field becomes that is taken out of a head: neither writers nor searches see it.
inline constexpr Field kRemovedField{
    .name = {}, .value = {}, .id = FieldId::other, .scope = Scope::hop_by_hop};

// Fields in the order received, in storage that belongs to somebody else (an arena). Capacity is
// the limit on fields; add() says no when it is reached.
class FieldList {
 public:
  FieldList() = default;
  explicit FieldList(std::span<Field> storage) noexcept : storage_(storage) {}

  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return storage_.size(); }
  Field* begin() noexcept { return storage_.data(); }
  Field* end() noexcept { return storage_.data() + size_; }
  const Field* begin() const noexcept { return storage_.data(); }
  const Field* end() const noexcept { return storage_.data() + size_; }
  void clear() noexcept { size_ = 0; }

  // False: no room; nothing was added.
  [[nodiscard]] bool add(const Field& field) noexcept {
    if (size_ == storage_.size()) return false;
    storage_[size_++] = field;
    return true;
  }

  // Adds a field for which there is room; the caller sets all of its members.
  Field& append() noexcept WEIR_LIFETIMEBOUND {
    WEIR_ASSERT(size_ < storage_.size());
    return storage_[size_++];
  }

  // First field with this id, or nullptr.
  const Field* find(FieldId id) const noexcept {
    for (const Field& field : *this) {
      if (field.id == id) return &field;
    }
    return nullptr;
  }
  // First field with this name, compared without case, or nullptr.
  const Field* find(std::string_view name) const noexcept;

 private:
  std::span<Field> storage_;
  std::size_t size_ = 0;
};

// How the end of a body is known (RFC 9112 6.3).
enum class Framing : std::uint8_t { none, length, chunked, until_close };

struct BodyLength {
  Framing framing = Framing::none;
  std::uint64_t bytes = 0;  // for Framing::length; 0 is an empty body with a Content-Length field
};

// Whether the connection the head came on may carry another message after this one (RFC 9112 9.3).
enum class Persistence : std::uint8_t { close, keep_alive };

struct RequestHead {
  Method method = Method::other;
  Version version = Version::http_1_1;
  Persistence persistence = Persistence::keep_alive;
  std::string_view method_text;
  std::string_view target;  // as received; origin-form, absolute-form or "*"
  // Host and port: of an absolute-form target, else of Host; may be empty in 1.0.
  std::string_view authority;
  std::string_view path;   // of the target, as received, without query; "*" for asterisk-form
  std::string_view query;  // of the target, without '?'; data() is null if there is no '?'
  BodyLength body;
  FieldList fields;  // Host, Content-Length and Transfer-Encoding stay in the list, hop_by_hop
};

struct ResponseHead {
  std::uint16_t status = 0;  // 100 to 599
  Version version = Version::http_1_1;
  Persistence persistence = Persistence::keep_alive;
  std::string_view reason;
  BodyLength body;
  FieldList fields;
};

// RFC 9110 9.2.2; what may be sent again when nobody knows whether it was carried out.
constexpr bool is_idempotent(Method method) noexcept {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::put:
    case Method::delete_:
    case Method::options:
    case Method::trace:
      return true;
    case Method::post:
    case Method::patch:
    case Method::connect:
    case Method::other:
      return false;
  }
  return false;
}

// The id of a field name, compared without case; `other` if it is none of FieldId's.
FieldId find_field_id(std::string_view name) noexcept;

// RFC 9110 9.1: methods are case-sensitive.
Method find_method(std::string_view text) noexcept;

// The standard reason phrase; empty for a status without one.
std::string_view reason_phrase(std::uint16_t status) noexcept;

// ASCII comparison without case.
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

}  // namespace weir::http
