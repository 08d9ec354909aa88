#include "config/reference.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <optional>
#include <vector>

namespace weir::config {
namespace {

constexpr std::size_t kUnlimited = static_cast<std::size_t>(-1);

// Text in a cell: a bar would end it.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// A value as the file would have it; nothing for an optional that is not set, and for structs.
std::optional<std::string> printed(const Type& type, const void* value) {
  switch (type.kind) {
    case Type::Kind::scalar: {
      const std::string text = type.print(value);
      return text.empty() ? "\"\"" : text;
    }
    case Type::Kind::list: {
      std::string list;
      for (std::size_t i = 0; const void* item = type.item(value, i); ++i) {
        const std::optional<std::string> text = printed(type.element(), item);
        if (text) list += (list.empty() ? "" : ", ") + *text;
      }
      return "[" + list + "]";
    }
    case Type::Kind::optional:
    case Type::Kind::located: {
      const void* const inner = type.item(value, 0);
      return inner == nullptr ? std::nullopt : printed(type.element(), inner);
    }
    case Type::Kind::structure:
      return std::nullopt;
  }
  return std::nullopt;
}

// "list of mapping `listeners.routes`": the path is the heading of its own table.
std::string type_of_field(const FieldDescription& field, const std::vector<NamedStruct>& structs) {
  std::string name = type_name(*field.type);
  const StructDescription* const inner = struct_within(*field.type);
  if (inner == nullptr) return name;
  const auto named = std::ranges::find(structs, inner, &NamedStruct::description);
  return fmt::format("{} `{}`", name, named->path);
}

std::string default_of(const FieldDescription& field, const StructDescription& description) {
  if (field.is_required) return "required";
  if (!field.instead_of.empty()) return fmt::format("instead of `{}`", field.instead_of);
  const auto* defaults = static_cast<const std::byte*>(description.defaults);
  const std::optional<std::string> text = printed(*field.type, defaults + field.offset);
  return text ? "`" + *text + "`" : "";
}

std::string bounds(std::size_t min, std::size_t max, std::string_view what) {
  if (min == 0 && max == kUnlimited) return "";
  if (max == kUnlimited) return fmt::format("at least {} {}", min, what);
  return fmt::format("{} to {} {}", min, max, what);
}

std::string range_of(const FieldDescription& field) {
  std::string all = bounds(field.size_min, field.size_max, "items");
  const auto append = [&all](const std::string& text) {
    if (!text.empty()) all += (all.empty() ? "" : ", ") + text;
  };
  append(bounds(field.length_min, field.length_max, "characters"));
  if (field.range) append(fmt::format("{} to {}", field.range->min_text, field.range->max_text));
  return all;
}

}  // namespace

std::string reference_page(const StructDescription& root, std::string_view title) {
  std::string page;
  const auto out = std::back_inserter(page);
  fmt::format_to(out, "# {}\n", title);
  const std::vector<NamedStruct> structs = list_structs(root);
  for (const auto& [description, path, help] : structs) {
    if (!path.empty()) fmt::format_to(out, "\n## {}\n\n{}\n", path, help);
    fmt::format_to(out,
                   "\n| key | type | default | range | meaning |\n"
                   "| --- | --- | --- | --- | --- |\n");
    for (const FieldDescription& field : description->fields) {
      fmt::format_to(out, "| `{}` | {} | {} | {} | {} |\n", field.name,
                     cell(type_of_field(field, structs)), cell(default_of(field, *description)),
                     range_of(field), cell(field.help));
    }
  }
  return page;
}

}  // namespace weir::config
