#include "config/reader.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>
#include <string_view>
#include <vector>

#include "config/text.h"

namespace weir::config {
namespace {

std::string found(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return quote(node.text);
    case Node::Kind::sequence:
      return "a list";
    case Node::Kind::mapping:
      return "a mapping";
  }
  return {};
}

// "a whole number from 1 to 5", "a duration such as 5s", "one of http, tcp".
std::string expected(const FieldDescription& field, const Type& type) {
  switch (type.kind) {
    case Type::Kind::scalar: {
      if (!type.choices.empty()) return type_name(type);
      const ScalarInfo& info = type.scalar;
      if (field.range) {
        return fmt::format("{} from {} to {}", info.name, field.range->min_text,
                           field.range->max_text);
      }
      if (info.example.empty()) return std::string(info.name);
      return fmt::format("{} such as {}", info.name, info.example);
    }
    case Type::Kind::list:
      return "a list";
    case Type::Kind::optional:
    case Type::Kind::located:
      return expected(field, type.element());
    case Type::Kind::structure:
      return "a mapping";
  }
  return {};
}

std::string names_of(const StructDescription& description) {
  std::vector<std::string_view> names;
  for (const FieldDescription& field : description.fields) names.push_back(field.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

class Reader {
 public:
  explicit Reader(Problems& problems) : problems_(problems) {}

  void read_struct(const Node& node, const StructDescription& description, std::byte* object);

 private:
  void read_value(const Node& node, const FieldDescription& field, const Type& type, void* out);
  void read_scalar(const Node& node, const FieldDescription& field, const Type& type, void* out);
  void read_list(const Node& node, const FieldDescription& field, const Type& type, void* out);
  void check_required(const Node& node, const StructDescription& description,
                      const std::vector<const Node*>& keys, std::size_t required);
  void read_name(const Node& node, const StructDescription& description, std::byte* object);
  void check_choice(const Node& node, const StructDescription& description);
  void check_length(const Node& node, const FieldDescription& field);
  void report_unknown(const Node& key, const StructDescription& description);

  void report_type(const Node& node, const FieldDescription& field, const Type& type,
                   std::string_view detail = "") {
    problems_.error(node.position, fmt::format("expected {}, found {}{}", expected(field, type),
                                               found(node), detail));
  }

  Problems& problems_;
};

void Reader::read_struct(const Node& node, const StructDescription& description,
                         std::byte* object) {
  if (description.position_offset) {
    *reinterpret_cast<Position*>(object + *description.position_offset) = node.position;
  }
  if (description.is_name_allowed && node.kind == Node::Kind::scalar) {
    return read_name(node, description, object);
  }
  if (node.kind != Node::Kind::mapping) {
    problems_.error(node.position, "expected a mapping, found " + found(node));
    return;
  }
  const std::vector<FieldDescription>& fields = description.fields;
  std::vector<const Node*> keys(fields.size());  // as they were found, by field
  for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
    const Node& key = node.children[i];
    const auto field = std::ranges::find(fields, key.text, &FieldDescription::name);
    if (field == fields.end()) {
      report_unknown(key, description);
      continue;
    }
    const Node*& first = keys[static_cast<std::size_t>(field - fields.begin())];
    if (first != nullptr) {
      problems_.error(key.position, fmt::format("duplicate key {} (the first is in line {})",
                                                quote(key.text), first->position.line));
      continue;
    }
    first = &key;
    read_value(node.children[i + 1], *field, *field->type, object + field->offset);
  }
  if (description.has_exactly_one) check_choice(node, description);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].is_required) check_required(node, description, keys, i);
  }
}

// keys: as they were found, by field; those of fields that were not written are null.
void Reader::check_required(const Node& node, const StructDescription& description,
                            const std::vector<const Node*>& keys, std::size_t required) {
  const std::vector<FieldDescription>& fields = description.fields;
  const std::string_view name = fields[required].name;
  const auto other = std::ranges::find(fields, name, &FieldDescription::instead_of);
  const Node* const key = keys[required];
  if (other == fields.end()) {
    if (key == nullptr) problems_.error(node.position, "missing key " + quote(name));
    return;
  }
  const Node* const other_key = keys[static_cast<std::size_t>(other - fields.begin())];
  if (key == nullptr && other_key == nullptr) {
    problems_.error(node.position,
                    fmt::format("missing key {} or {}", quote(name), quote(other->name)));
  } else if (key != nullptr && other_key != nullptr) {
    problems_.error(other_key->position, fmt::format("either {} or {} may be written, not both",
                                                     quote(name), quote(other->name)));
  }
}

void Reader::read_name(const Node& node, const StructDescription& description, std::byte* object) {
  const auto field = std::ranges::find(description.fields, node.text, &FieldDescription::name);
  if (field != description.fields.end()) {
    Node empty;
    empty.kind = Node::Kind::mapping;
    empty.position = node.position;
    return read_value(empty, *field, *field->type, object + field->offset);
  }
  Nearest nearest(node.text);
  for (const FieldDescription& known : description.fields) nearest.consider(known.name);
  problems_.error(node.position, fmt::format("expected one of {}, found {}{}",
                                             names_of(description), found(node), nearest.hint()));
}

void Reader::check_choice(const Node& node, const StructDescription& description) {
  const std::size_t keys = node.children.size() / 2;
  if (keys == 1) return;
  problems_.error(node.position, fmt::format("expected one of {}, found {}", names_of(description),
                                             keys == 0 ? "nothing" : "several"));
}

void Reader::report_unknown(const Node& key, const StructDescription& description) {
  Nearest nearest(key.text);
  for (const FieldDescription& field : description.fields) nearest.consider(field.name);
  const std::string hint = nearest.best().empty()
                               ? fmt::format(" (expected {})", names_of(description))
                               : nearest.hint();
  problems_.error(key.position, fmt::format("unknown key {}{}", quote(key.text), hint));
}

void Reader::read_value(const Node& node, const FieldDescription& field, const Type& type,
                        void* out) {
  switch (type.kind) {
    case Type::Kind::scalar:
      return read_scalar(node, field, type, out);
    case Type::Kind::list:
      return read_list(node, field, type, out);
    case Type::Kind::located:
      type.locate(out, node.position);
      return read_value(node, field, type.element(), type.emplace(out));
    case Type::Kind::optional:
      return read_value(node, field, type.element(), type.emplace(out));
    case Type::Kind::structure:
      return read_struct(node, type.structure(), static_cast<std::byte*>(out));
  }
}

void Reader::read_scalar(const Node& node, const FieldDescription& field, const Type& type,
                         void* out) {
  if (node.kind != Node::Kind::scalar) return report_type(node, field, type);
  if (node.quoted && type.scalar.quotes == Quotes::refused) {
    return report_type(node, field, type, " in quotes");
  }
  if (const Parsed parsed = type.parse(node.text, out); !parsed) {
    Nearest nearest(node.text);
    for (const std::string_view choice : type.choices) nearest.consider(choice);
    const std::string& why = parsed.error();
    return report_type(node, field, type, why.empty() ? nearest.hint() : ": " + why);
  }
  if (field.range) {
    const long double measure = type.measure(out);
    if (measure < field.range->min || measure > field.range->max) {
      return report_type(node, field, type);
    }
  }
  check_length(node, field);
}

void Reader::check_length(const Node& node, const FieldDescription& field) {
  const std::size_t length = count_code_points(node.text);
  if (length == 0 && field.length_min > 0) {
    problems_.error(node.position, "must not be empty");
  } else if (length < field.length_min) {
    problems_.error(node.position, fmt::format("expected at least {} characters, found {}",
                                               field.length_min, length));
  } else if (length > field.length_max) {
    problems_.error(node.position, fmt::format("expected at most {} characters, found {}",
                                               field.length_max, length));
  }
}

void Reader::read_list(const Node& node, const FieldDescription& field, const Type& type,
                       void* out) {
  type.clear(out);
  if (node.kind == Node::Kind::scalar && field.is_single_allowed) {
    return read_value(node, field, type.element(), type.emplace(out));
  }
  if (node.kind != Node::Kind::sequence) return report_type(node, field, type);
  const std::size_t size = node.children.size();
  if (size < field.size_min || size > field.size_max) {
    problems_.error(node.position, fmt::format("expected {} to {} items, found {}", field.size_min,
                                               field.size_max, size));
  }
  for (const Node& item : node.children) {
    read_value(item, field, type.element(), type.emplace(out));
  }
}

}  // namespace

void read_struct(const Node& node, const StructDescription& description, void* object,
                 Problems& problems) {
  Reader(problems).read_struct(node, description, static_cast<std::byte*>(object));
}

}  // namespace weir::config
