#include "config/schema.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <vector>

#include "base/assert.h"
#include "base/json.h"

namespace weir::config {
namespace {

constexpr std::size_t kUnlimited = static_cast<std::size_t>(-1);

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// The text of a JSON object or array while it is put together from the texts of its parts.
class JsonText {
 public:
  void add(std::string_view name, std::string_view value) {
    add(quoted(name) + ":" + std::string(value));
  }
  // Items of an array; or members as they stand.
  void add(std::string_view item) {
    if (!text_.empty()) text_ += ',';
    text_ += item;
  }
  bool is_empty() const { return text_.empty(); }
  const std::string& members() const WEIR_LIFETIMEBOUND { return text_; }
  std::string object() const { return "{" + text_ + "}"; }
  std::string array() const { return "[" + text_ + "]"; }

 private:
  std::string text_;
};

// A value as the file would have it; nothing for an optional that is not set, and for structs,
// which have defaults of their own.
std::string json_value(const Type& type, const void* value) {
  switch (type.kind) {
    case Type::Kind::scalar: {
      const std::string printed = type.print(value);
      return type.scalar.quotes == Quotes::refused ? printed : quoted(printed);
    }
    case Type::Kind::list: {
      JsonText list;
      for (std::size_t i = 0; const void* item = type.item(value, i); ++i) {
        const std::string text = json_value(type.element(), item);
        if (!text.empty()) list.add(text);
      }
      return list.array();
    }
    case Type::Kind::optional:
    case Type::Kind::located: {
      const void* const inner = type.item(value, 0);
      return inner == nullptr ? "" : json_value(type.element(), inner);
    }
    case Type::Kind::structure:
      return "";
  }
  return "";
}

void add_scalar(JsonText& out, const FieldDescription& field, const Type& type) {
  if (!type.choices.empty()) {
    JsonText choices;
    for (const std::string_view choice : type.choices) choices.add(quoted(choice));
    return out.add("enum", choices.array());
  }
  out.add(type.scalar.schema);
  // What is written as text (5s, 64KiB) has no order that a JSON Schema could bound.
  if (field.range && type.scalar.quotes == Quotes::refused) {
    out.add("minimum", field.range->min_text);
    out.add("maximum", field.range->max_text);
  }
  if (field.length_min > 0) out.add("minLength", std::to_string(field.length_min));
  if (field.length_max != kUnlimited) out.add("maxLength", std::to_string(field.length_max));
}

class SchemaWriter {
 public:
  explicit SchemaWriter(const StructDescription& root) : structs_(list_structs(root)) {}

  std::string write(std::string_view title) const {
    JsonText schema;
    schema.add("$schema", quoted("https://json-schema.org/draft/2020-12/schema"));
    schema.add("title", quoted(title));
    JsonText definitions;
    for (const NamedStruct& named : structs_) {
      if (named.path.empty()) {
        add_struct(schema, *named.description);
        continue;
      }
      JsonText definition;
      add_struct(definition, *named.description);
      definitions.add(named.path, definition.object());
    }
    if (!definitions.is_empty()) schema.add("$defs", definitions.object());
    return schema.object();
  }

 private:
  void add_struct(JsonText& out, const StructDescription& description) const {
    JsonText properties;
    JsonText required;
    JsonText choices;
    for (const FieldDescription& field : description.fields) {
      JsonText schema;
      schema.add("description", quoted(field.help));
      add_type(schema, field, *field.type);
      const auto* defaults = static_cast<const std::byte*>(description.defaults);
      const std::string initial = json_value(*field.type, defaults + field.offset);
      if (!field.is_required && !initial.empty()) schema.add("default", initial);
      properties.add(field.name, schema.object());
      const auto other =
          std::ranges::find(description.fields, field.name, &FieldDescription::instead_of);
      if (!field.is_required) continue;
      if (other == description.fields.end()) {
        required.add(quoted(field.name));
      } else {
        choices.add(choice_of(field.name, other->name));
      }
    }
    out.add("type", quoted("object"));
    out.add("additionalProperties", "false");
    if (description.has_exactly_one) {
      out.add("minProperties", "1");
      out.add("maxProperties", "1");
    }
    if (!required.is_empty()) out.add("required", required.array());
    if (!choices.is_empty()) out.add("allOf", choices.array());
    out.add("properties", properties.object());
  }

  // Exactly one of two keys is there.
  static std::string choice_of(std::string_view key, std::string_view other) {
    return fmt::format(R"({{"oneOf":[{{"required":[{}]}},{{"required":[{}]}}]}})", quoted(key),
                       quoted(other));
  }

  void add_type(JsonText& out, const FieldDescription& field, const Type& type) const {
    switch (type.kind) {
      case Type::Kind::scalar:
        return add_scalar(out, field, type);
      case Type::Kind::list:
        return add_list(out, field, type);
      case Type::Kind::optional:
      case Type::Kind::located:
        return add_type(out, field, type.element());
      case Type::Kind::structure:
        return add_reference(out, type.structure());
    }
  }

  void add_reference(JsonText& out, const StructDescription& description) const {
    const std::string reference = quoted(reference_to(description));
    if (!description.is_name_allowed) return out.add("$ref", reference);
    JsonText names;
    for (const FieldDescription& field : description.fields) names.add(quoted(field.name));
    out.add("anyOf", fmt::format(R"([{{"enum":{}}},{{"$ref":{}}}])", names.array(), reference));
  }

  void add_list(JsonText& out, const FieldDescription& field, const Type& type) const {
    JsonText item;
    add_type(item, field, type.element());
    JsonText list;
    list.add("type", quoted("array"));
    list.add("items", item.object());
    if (field.size_min > 0) list.add("minItems", std::to_string(field.size_min));
    if (field.size_max != kUnlimited) list.add("maxItems", std::to_string(field.size_max));
    if (field.is_single_allowed) {
      return out.add("anyOf", "[" + list.object() + "," + item.object() + "]");
    }
    out.add(list.members());
  }

  std::string reference_to(const StructDescription& description) const {
    const auto named = std::ranges::find(structs_, &description, &NamedStruct::description);
    return named->path.empty() ? "#" : "#/$defs/" + named->path;
  }

  std::vector<NamedStruct> structs_;
};

// Bytes of the JSON string that `json` starts with, quotes included.
std::size_t string_length(std::string_view json) {
  std::size_t end = 1;
  while (json[end] != '"') end += json[end] == '\\' ? 2 : 1;
  return end + 1;
}

// JSON laid out for people, two spaces a level.
std::string indented(std::string_view json) {
  std::string out;
  std::size_t depth = 0;
  const auto start_line = [&] { out += "\n" + std::string(2 * depth, ' '); };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      const std::size_t length = string_length(json.substr(i));
      out += json.substr(i, length);
      i += length - 1;
    } else if (c == '{' || c == '[') {
      ++depth;
      out += c;
      const bool is_empty = json[i + 1] == '}' || json[i + 1] == ']';
      if (!is_empty) start_line();
    } else if (c == '}' || c == ']') {
      --depth;
      const bool is_empty = json[i - 1] == '{' || json[i - 1] == '[';
      if (!is_empty) start_line();
      out += c;
    } else if (c == ',') {
      out += c;
      start_line();
    } else if (c == ':') {
      out += ": ";
    } else if (c != ' ') {
      out += c;
    }
  }
  return out + "\n";
}

}  // namespace

std::string json_schema(const StructDescription& root, std::string_view title) {
  return indented(SchemaWriter(root).write(title));
}

}  // namespace weir::config
