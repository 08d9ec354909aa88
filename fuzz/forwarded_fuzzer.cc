// Any bytes, read as values of Forwarded and of X-Forwarded-For: what is read lies in the value, in
// order from right to left; what a proxy adds on the right is read as it was meant; and an element
// written anew says the same.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http/forwarded.h"
#include "protocol/ip_address.h"

namespace {

using namespace weir::http;
using weir::protocol::ip_bytes;
using weir::protocol::unmap_ipv4;

void require(bool condition) {
  if (!condition) std::abort();
}

// Trusts half of all addresses, so that walks are long.
constexpr TrustedProxies kTrusted{
    .contains = [](const void*, const sockaddr_storage& address) noexcept {
      return (ip_bytes(address).back() & 1) == 0;
    }};

void require_inside(std::string_view part, std::string_view whole) {
  if (part.data() == nullptr) return;
  require(part.data() >= whole.data());
  require(part.data() + part.size() <= whole.data() + whole.size());
}

void check_written(const ForwardedElement& element, const ForwardedNode& node) {
  std::array<char, 1 << 16> host, out;
  const auto plain_host = unquote(element.host, host);
  if (!plain_host || plain_host->size() > out.size() / 4) return;
  const ForwardedHop hop{
      .client = node.address, .listener = {}, .host = *plain_host, .proto = "https"};
  const auto size = write_forwarded_element(out, hop);
  require(size.has_value());
  ForwardedReader reader({out.data(), *size});
  ForwardedElement again;
  require(reader.next(again) == ForwardedReader::Status::element);
  std::array<char, 1 << 16> scratch;
  require(unquote(again.host, scratch).value() == *plain_host);
  const auto client = parse_forwarded_node(unquote(again.forwarded_for, scratch).value());
  require(client.has_value());
  require(ip_bytes(client->address) == ip_bytes(unmap_ipv4(node.address)));
  require(reader.next(again) == ForwardedReader::Status::end);
}

void check_elements(std::string_view value) {
  ForwardedReader reader(value);
  ForwardedElement element;
  std::array<char, 128> scratch;
  std::size_t count = 0;
  while (reader.next(element) == ForwardedReader::Status::element) {
    require(++count <= value.size());
    for (const std::string_view part :
         {element.forwarded_for, element.by, element.host, element.proto}) {
      require_inside(part, value);
    }
    const auto text = unquote(element.forwarded_for, scratch);
    const auto node = text ? parse_forwarded_node(*text) : std::nullopt;
    if (node) check_written(element, *node);
  }
}

void check_members(std::string_view value) {
  ListReader reader(value);
  const char* before = value.data() + value.size();
  while (const auto member = reader.next()) {
    require(!member->empty() && !member->contains(','));
    require_inside(*member, value);
    require(member->data() + member->size() <= before);
    before = member->data();
  }
}

void check_client(std::string_view value, FieldId id, std::string_view added) {
  const std::string longer = std::string(value) + std::string(added);
  std::array<Field, 1> storage;
  FieldList fields(storage);
  require(fields.add({.name = "Forwarded", .value = longer, .id = id}));
  const ForwardedClient client = find_forwarded_client(fields, id, kTrusted);
  require(client.end == ForwardedEnd::found);
  require(ip_bytes(client.address) == std::string_view("\xcb\x00\x71\x07", 4));
  fields.begin()->value = value;
  find_forwarded_client(fields, id, kTrusted);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<char> copy(data, data + size);
  const std::string_view value(copy.data(), copy.size());
  check_elements(value);
  check_members(value);
  check_client(value, FieldId::forwarded, R"(, for="203.0.113.7:1";host="\",", for=10.0.0.2)");
  check_client(value, FieldId::x_forwarded_for, ", 203.0.113.7, 10.0.0.2");
  return 0;
}
