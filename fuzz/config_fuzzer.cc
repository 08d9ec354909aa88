// Any text, read as a configuration: no crash, and every problem is at a place inside the text.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/config_test.h"
#include "config/node.h"
#include "config/reader.h"

namespace {

using weir::config::Position;

void require(bool condition) {
  if (!condition) std::abort();
}

// Code points of a line, plus one for the place after its end.
std::size_t columns_of(std::string_view text, std::size_t line) {
  for (; line > 1; --line) {
    const std::size_t end = text.find('\n');
    require(end != std::string_view::npos);
    text.remove_prefix(end + 1);
  }
  std::size_t columns = 1;
  for (const char byte : text.substr(0, text.find('\n'))) columns += (byte & 0xc0) != 0x80 ? 1 : 0;
  return columns;
}

void check_place(std::string_view text, Position position) {
  if (position == Position{}) return;  // the file as a whole
  require(position.line >= 1);
  require(position.column >= 1);
  require(position.column <= columns_of(text, position.line));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::config::Problems problems;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto document = weir::config::parse_document("fuzz.yaml", text, problems);
  weir::config::test::Settings settings;
  weir::config::read(document.root, settings, problems);
  for (const auto& problem : problems.sorted()) check_place(document.text, problem.position);
  const std::string printed = print(problems, document);
  require(printed.empty() == problems.is_empty());
  return 0;
}
