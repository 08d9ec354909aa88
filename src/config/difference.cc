#include "config/difference.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>
#include <unordered_map>

namespace weir::config {
namespace {

constexpr std::size_t kTextBytesMax = 200;

const void* member(const FieldDescription& field, const void* object) {
  return static_cast<const std::byte*>(object) + field.offset;
}

bool is_equal_scalar(const Type& type, const void* a, const void* b) {
  // By far the most frequent: a printed string would be a copy.
  if (&type == &type_of<std::string>()) {
    return *static_cast<const std::string*>(a) == *static_cast<const std::string*>(b);
  }
  if (type.measure != nullptr) return type.measure(a) == type.measure(b);
  return type.print(a) == type.print(b);
}

// As a file would have it; empty for an optional that is not set.
std::string print_value(const Type& type, const void* value);

std::string print_list(const Type& type, const void* list) {
  std::string text;
  for (std::size_t i = 0; const void* item = type.item(list, i); ++i) {
    text += (text.empty() ? "" : ", ") + print_value(type.element(), item);
  }
  return "[" + text + "]";
}

std::string print_struct(const StructDescription& description, const void* object) {
  std::string text;
  if (description.is_name_allowed) {
    // A key that has nothing but defaults is printed by its name alone.
    for (const FieldDescription& field : description.fields) {
      const void* const value = field.type->item(member(field, object), 0);
      if (value != nullptr && print_value(field.type->element(), value) == "{}") {
        return std::string(field.name);
      }
    }
  }
  for (const FieldDescription& field : description.fields) {
    const void* const value = member(field, object);
    if (is_equal(*field.type, value, member(field, description.defaults))) continue;
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", field.name,
                        print_value(*field.type, value));
  }
  return "{" + text + "}";
}

std::string print_value(const Type& type, const void* value) {
  switch (type.kind) {
    case Type::Kind::scalar: {
      const std::string text = type.print(value);
      return text.empty() ? "\"\"" : text;
    }
    case Type::Kind::list:
      return print_list(type, value);
    case Type::Kind::optional:
    case Type::Kind::located: {
      const void* const inner = type.item(value, 0);
      return inner == nullptr ? "" : print_value(type.element(), inner);
    }
    case Type::Kind::structure:
      return print_struct(type.structure(), value);
  }
  return {};
}

std::string cut(std::string text) {
  if (text.size() <= kTextBytesMax) return text;
  std::size_t size = kTextBytesMax;
  const auto is_within_code_point = [&] { return (text[size] & 0xc0) == 0x80; };
  while (is_within_code_point()) --size;
  return text.substr(0, size) + "...";
}

// The string by which items of this type are known, a required `name`; null if they have none.
const FieldDescription* find_name(const Type& item) {
  if (item.kind != Type::Kind::structure) return nullptr;
  for (const FieldDescription& field : item.structure().fields) {
    if (field.name != "name" || !field.is_required) continue;
    const bool is_located = field.type->kind == Type::Kind::located;
    const Type& type = is_located ? field.type->element() : *field.type;
    if (&type == &type_of<std::string>()) return &field;
  }
  return nullptr;
}

std::string_view name_of(const FieldDescription& field, const void* object) {
  const void* value = member(field, object);
  if (field.type->kind == Type::Kind::located) value = field.type->item(value, 0);
  return *static_cast<const std::string*>(value);
}

struct NamedItem {
  const void* value;
  std::size_t place;
};

// The items of one list, in its order and by name.
struct NamedItems {
  NamedItems(const Type& list, const FieldDescription& field, const void* holder) {
    for (std::size_t i = 0; const void* item = list.item(holder, i); ++i) {
      names.push_back(name_of(field, item));
      by_name.emplace(names.back(), NamedItem{item, i});
    }
  }
  bool is_unambiguous() const { return names.size() == by_name.size(); }
  const NamedItem* find(std::string_view name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : &found->second;
  }

  std::vector<std::string_view> names;
  std::unordered_map<std::string_view, NamedItem> by_name;
};

class Finder {
  using Kind = Difference::Kind;

 public:
  // Null: it is not there.
  void compare(const Type& type, const void* before, const void* after) {
    if (before == nullptr && after == nullptr) return;
    if (before == nullptr || after == nullptr) return add(type, before, after);
    switch (type.kind) {
      case Type::Kind::scalar:
        if (!is_equal_scalar(type, before, after)) add(type, before, after);
        return;
      case Type::Kind::list:
        return compare_lists(type, before, after);
      case Type::Kind::optional:
      case Type::Kind::located:
        return compare(type.element(), type.item(before, 0), type.item(after, 0));
      case Type::Kind::structure:
        for (const FieldDescription& field : type.structure().fields) {
          const std::size_t size = enter(path_.empty() ? "" : ".", field.name, "");
          compare(*field.type, member(field, before), member(field, after));
          path_.resize(size);
        }
    }
  }
  std::vector<Difference> take() { return std::move(differences_); }

 private:
  void compare_lists(const Type& type, const void* before, const void* after) {
    const FieldDescription* const name = find_name(type.element());
    if (name != nullptr) {
      const NamedItems named_before(type, *name, before);
      const NamedItems named_after(type, *name, after);
      if (named_before.is_unambiguous() && named_after.is_unambiguous()) {
        return compare_by_name(type.element(), named_before, named_after);
      }
    }
    for (std::size_t i = 0;; ++i) {
      const void* const item_before = type.item(before, i);
      const void* const item_after = type.item(after, i);
      if (item_before == nullptr && item_after == nullptr) return;
      compare_items(type.element(), std::to_string(i), item_before, item_after);
    }
  }

  void compare_by_name(const Type& item, const NamedItems& before, const NamedItems& after) {
    for (const std::string_view name : before.names) {
      if (after.find(name) == nullptr) compare_items(item, name, before.find(name)->value, nullptr);
    }
    std::size_t last_place = 0;
    bool is_same_order = true;
    for (const std::string_view name : after.names) {
      const NamedItem* const old = before.find(name);
      compare_items(item, name, old == nullptr ? nullptr : old->value, after.find(name)->value);
      if (old == nullptr) continue;
      is_same_order = is_same_order && old->place >= last_place;
      last_place = old->place;
    }
    if (!is_same_order) differences_.push_back({Kind::reordered, path_, "", ""});
  }

  void compare_items(const Type& item, std::string_view name, const void* before,
                     const void* after) {
    // Nearly all of a long list is as it was.
    if (before != nullptr && after != nullptr && is_equal(item, before, after)) return;
    const std::size_t size = enter("[", name, "]");
    compare(item, before, after);
    path_.resize(size);
  }

  // Gives the size of the path to return to.
  std::size_t enter(std::string_view open, std::string_view name, std::string_view close) {
    const std::size_t size = path_.size();
    path_.append(open).append(name).append(close);
    return size;
  }
  void add(const Type& type, const void* before, const void* after) {
    const auto print = [&type](const void* value) {
      return value == nullptr ? "" : cut(print_value(type, value));
    };
    const Kind kind = before == nullptr  ? Kind::added
                      : after == nullptr ? Kind::removed
                                         : Kind::changed;
    differences_.push_back({kind, path_, print(before), print(after)});
  }

  std::string path_;
  std::vector<Difference> differences_;
};

}  // namespace

std::vector<Difference> find_differences(const Type& type, const void* before, const void* after) {
  Finder finder;
  finder.compare(type, before, after);
  return finder.take();
}

bool is_equal(const Type& type, const void* a, const void* b) {
  switch (type.kind) {
    case Type::Kind::scalar:
      return is_equal_scalar(type, a, b);
    case Type::Kind::list:
    case Type::Kind::optional:
    case Type::Kind::located:
      for (std::size_t i = 0;; ++i) {
        const void* const item_of_a = type.item(a, i);
        const void* const item_of_b = type.item(b, i);
        if (item_of_a == nullptr || item_of_b == nullptr) return item_of_a == item_of_b;
        if (!is_equal(type.element(), item_of_a, item_of_b)) return false;
      }
    case Type::Kind::structure:
      return std::ranges::all_of(type.structure().fields, [a, b](const FieldDescription& field) {
        return is_equal(*field.type, member(field, a), member(field, b));
      });
  }
  return false;
}

}  // namespace weir::config
