#include "config/description.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weir::config {
namespace {

void add_structs(const NamedStruct& named, std::vector<NamedStruct>& out) {
  if (std::ranges::find(out, named.description, &NamedStruct::description) != out.end()) return;
  out.push_back(named);
  for (const FieldDescription& field : named.description->fields) {
    const StructDescription* inner = struct_within(*field.type);
    if (inner == nullptr) continue;
    const std::string path =
        fmt::format("{}{}{}", named.path, named.path.empty() ? "" : ".", field.name);
    add_structs({inner, path, field.help}, out);
  }
}

}  // namespace

std::size_t Describer::offset_of(const void* member) const {
  const auto* at = static_cast<const std::byte*>(member);
  WEIR_ASSERT(at >= object_.data());
  WEIR_ASSERT(at < object_.data() + object_.size());
  return static_cast<std::size_t>(at - object_.data());
}

FieldDescription& Describer::add(std::string_view name, const void* member, std::string_view help,
                                 const Type& type) {
  WEIR_ASSERT(std::ranges::find(fields_, name, &FieldDescription::name) == fields_.end());
  FieldDescription& added = fields_.emplace_back();
  added.name = name;
  added.help = help;
  added.type = &type;
  added.offset = offset_of(member);
  return added;
}

const StructDescription* struct_within(const Type& type) {
  if (type.kind == Type::Kind::scalar) return nullptr;
  if (type.kind == Type::Kind::structure) return &type.structure();
  return struct_within(type.element());
}

std::vector<NamedStruct> list_structs(const StructDescription& root) {
  std::vector<NamedStruct> structs;
  add_structs({&root, "", ""}, structs);
  return structs;
}

std::string type_name(const Type& type) {
  switch (type.kind) {
    case Type::Kind::scalar: {
      if (!type.choices.empty()) return fmt::format("one of {}", fmt::join(type.choices, ", "));
      std::string_view name = type.scalar.name;
      for (const std::string_view article : {"a ", "an "}) {
        if (name.starts_with(article)) return std::string(name.substr(article.size()));
      }
      return std::string(name);
    }
    case Type::Kind::list:
      return "list of " + type_name(type.element());
    case Type::Kind::optional:
    case Type::Kind::located:
      return type_name(type.element());
    case Type::Kind::structure:
      return type.structure().is_name_allowed ? "name or mapping" : "mapping";
  }
  return {};
}

}  // namespace weir::config
