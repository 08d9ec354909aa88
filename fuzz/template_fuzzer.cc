// Any bytes, read as a template: what is read is shown as it was written, and is constant only if
// no value is in it; what a template can have is also what is known by then; an error is a sentence
// without control bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/template.h"

namespace {

using namespace weir::proxy;

void require(bool condition) {
  if (!condition) std::abort();
}

bool has_control_byte(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

// The text without its dollars escaped: what a template without values is.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$') ++i;
    plain += text[i];
  }
  return plain;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const auto at_end = Template::parse(text, Known::end);
  const auto at_response = Template::parse(text, Known::response);
  const auto at_request = Template::parse(text, Known::request);
  require(at_response || !at_request);
  require(at_end || !at_response);
  if (!at_end) {
    require(!at_end.error().empty() && !has_control_byte(at_end.error()));
    return 0;
  }
  require(at_end->text() == text);
  if (const auto constant = at_end->constant()) {
    require(at_request && *constant == unescaped(text));
  } else {
    require(text.contains("${"));
  }
  require(at_end->response_fields().empty() || !at_request);
  return 0;
}
