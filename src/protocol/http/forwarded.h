#pragma once
// What proxies say of the client: Forwarded (RFC 7239), and X-Forwarded-For, -Proto, -Host and
// -Port, which are lists without a specification.
//
// Each proxy adds on the right, so values are read from right to left and only as far as they are
// trusted: nothing that a client wrote on the left changes how what is right of it is understood.
// Pure functions over views; nothing allocates.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <sys/socket.h>

#include "protocol/http/message.h"

namespace weir::http {

// The members of a value that is a list as in RFC 9110 5.6.1, as those of X-Forwarded-For are and
// the options of Connection: from right to left, without the white space around them; empty ones
// are left out.
class ListReader {
 public:
  explicit ListReader(std::string_view value) noexcept : rest_(value) {}
  // nullopt: there is none left.
  std::optional<std::string_view> next() noexcept;

 private:
  std::string_view rest_;
};

// One element of Forwarded (RFC 7239 4): what one proxy said. Values as they were written, maybe in
// quotes (see unquote); data() is null if there is none. Parameters of other names are left out.
struct ForwardedElement {
  std::string_view forwarded_for;  // a node: who made the request to the proxy
  std::string_view by;             // a node: the proxy
  std::string_view host;           // the Host that it received
  std::string_view proto;          // the URI scheme that was used
};

// The elements of a value of Forwarded, from right to left. White space beside a semicolon is let
// pass; what else is not as RFC 7239 4 says ends the reading for good.
class ForwardedReader {
 public:
  enum class Status : std::uint8_t { element, end, malformed };

  explicit ForwardedReader(std::string_view value) noexcept : rest_(value) {}
  // `element` is set when the status is element.
  Status next(ForwardedElement& element) noexcept;

 private:
  std::string_view rest_;
};

// The text of a token or quoted-string. Copied to `scratch` only if it has escapes; nullopt: it has
// and does not fit there.
std::optional<std::string_view> unquote(std::string_view written, std::span<char> scratch) noexcept;

// RFC 7239 6: an address, or a name that hides it.
struct ForwardedNode {
  enum class Kind : std::uint8_t { address, unknown, obfuscated };
  Kind kind = Kind::unknown;
  // AF_UNSPEC unless the kind is address; port 0 if it is not said, or obfuscated.
  sockaddr_storage address{};
};

// A node without quotes: 192.0.2.1, 192.0.2.1:80, [2001:db8::1]:80, unknown, _hidden:_port.
std::optional<ForwardedNode> parse_forwarded_node(std::string_view text) noexcept;

// A member of X-Forwarded-For: the same, or an IPv6 address without brackets.
std::optional<ForwardedNode> parse_x_forwarded_for(std::string_view text) noexcept;

// Whether `text` is the name of a URI scheme (RFC 3986 3.1), as proto and X-Forwarded-Proto have
// it.
bool is_uri_scheme(std::string_view text) noexcept;

// Bounds the walk below: a client can write as many trusted addresses as a head has room for.
inline constexpr std::size_t kForwardedHopsMax = 64;

// The proxies whose word is taken for the next address on the left.
struct TrustedProxies {
  bool (*contains)(const void* context, const sockaddr_storage& address) noexcept = nullptr;
  const void* context = nullptr;
};

enum class ForwardedEnd : std::uint8_t {
  found,        // the address is the first that is no trusted proxy
  all_trusted,  // everybody named is a trusted proxy
  hidden,       // the next node is unknown or obfuscated, or not said
  malformed,    // the next element is
  too_many,     // kForwardedHopsMax proxies were passed
};

struct ForwardedClient {
  ForwardedEnd end = ForwardedEnd::all_trusted;
  // The last one that was said on trust; AF_UNSPEC if none was: whoever made the connection then is
  // all that is known.
  sockaddr_storage address{};
  // The last one that was read. Of X-Forwarded-For it has forwarded_for alone.
  ForwardedElement element;
};

// Who made the request, of all fields with this id, which is forwarded or x_forwarded_for. For
// requests that a trusted proxy sent: the caller judged the connection's own address.
ForwardedClient find_forwarded_client(const FieldList& fields, FieldId id,
                                      const TrustedProxies& trusted) noexcept;

// What Weir adds to Forwarded.
struct ForwardedHop {
  sockaddr_storage client{};    // with its port unless that is 0; not an IP address: unknown
  sockaddr_storage listener{};  // the same; not an IP address: left out
  std::string_view host;        // empty: left out; a value that a field can have
  std::string_view proto;       // empty: left out; else a URI scheme
};

// Writes for, by, host and proto, quoted where they must be. nullopt: it does not fit in `out`.
std::optional<std::size_t> write_forwarded_element(std::span<char> out,
                                                   const ForwardedHop& hop) noexcept;

}  // namespace weir::http
