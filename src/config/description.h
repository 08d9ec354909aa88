#pragma once
// The typed table behind every setting. A settings struct is described once, beside the code that
// uses it:
//
//   struct PoolSettings { std::uint32_t idle_max = 64; Duration idle_timeout = 50s; };
//   template <class V> void describe(V& v, PoolSettings& s) {
//     v.field("idle_max", s.idle_max, "Idle connections kept.").range(0, 65535);
//     v.field("idle_timeout", s.idle_timeout, "How long one is kept.").range(1ms, 24h);
//   }
//
// description_of<PoolSettings>() turns that into plain data, once. The reader, the JSON Schema and
// the reference page are ordinary code over this data. Defaults are the initial values of the
// struct.
//
// A member may be a scalar (scalars.h), a described struct, or a std::vector, std::optional or
// Located of such. Members must lie in the struct itself.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "config/problem.h"
#include "config/scalars.h"

namespace weir::config {

struct StructDescription;

// Inclusive bounds as measure_scalar measures, and as they are printed.
struct Range {
  long double min = 0;
  long double max = 0;
  std::string min_text;
  std::string max_text;
};

// How values of one C++ type are read and shown. Each kind uses its own members only.
struct Type {
  enum class Kind : std::uint8_t { scalar, list, optional, located, structure };
  Kind kind;

  ScalarInfo scalar{};
  std::span<const std::string_view> choices{};  // of an enum
  Parsed (*parse)(std::string_view text, void* out) = nullptr;
  std::string (*print)(const void* value) = nullptr;
  long double (*measure)(const void* value) = nullptr;  // null: the values have no order

  // A list, an optional or a Located holds elements of another type.
  const Type& (*element)() = nullptr;
  void (*clear)(void* holder) = nullptr;                                 // a list only
  void* (*emplace)(void* holder) = nullptr;                              // a new element
  const void* (*item)(const void* holder, std::size_t index) = nullptr;  // null past the last
  void (*locate)(void* holder, Position position) = nullptr;             // a Located only

  const StructDescription& (*structure)() = nullptr;
};

struct FieldDescription {
  std::string_view name;
  std::string_view help;  // one or more sentences
  const Type* type = nullptr;
  std::size_t offset = 0;
  bool is_required = false;
  std::string_view instead_of = {};  // a required field of the struct; empty: none
  bool is_single_allowed = false;
  std::optional<Range> range;  // of each scalar in it
  std::size_t length_min = 0;  // of each string in it, in code points
  std::size_t length_max = static_cast<std::size_t>(-1);
  std::size_t size_min = 0;  // items of a list
  std::size_t size_max = static_cast<std::size_t>(-1);
};

struct StructDescription {
  std::vector<FieldDescription> fields;
  const void* defaults = nullptr;              // an initial value, alive for ever
  std::optional<std::size_t> position_offset;  // of a member `Position position`
  bool has_exactly_one = false;                // of its keys
  bool is_name_allowed = false;  // of one of its keys, whose value then is as it is initially
};

// The scalar within lists and other holders: what range() bounds.
template <class T>
struct ScalarWithin {
  using type = T;
};
template <class T>
struct ScalarWithin<std::vector<T>> : ScalarWithin<T> {};
template <class T>
struct ScalarWithin<std::optional<T>> : ScalarWithin<T> {};
template <class T>
struct ScalarWithin<Located<T>> : ScalarWithin<T> {};

// What may be said about a field after its name; T is the type of the member.
template <class T>
class Field {
 public:
  using Scalar = ScalarWithin<T>::type;

  explicit Field(FieldDescription& field) : field_(field) {}

  // The key must be written.
  Field& required() {
    field_.is_required = true;
    return *this;
  }
  // The key may be written instead of a required one, described before it; not beside it.
  Field& instead_of(std::string_view required_field) {
    field_.instead_of = required_field;
    return *this;
  }
  // Inclusive bounds of a number, a duration or a size.
  Field& range(Scalar min, Scalar max) {
    field_.range = {measure_scalar(min), measure_scalar(max), print_scalar(min), print_scalar(max)};
    return *this;
  }
  // Code points of a string.
  Field& length_min(std::size_t code_points) {
    field_.length_min = code_points;
    return *this;
  }
  Field& length_max(std::size_t code_points) {
    field_.length_max = code_points;
    return *this;
  }
  // Items of a list.
  Field& size(std::size_t min, std::size_t max) {
    field_.size_min = min;
    field_.size_max = max;
    return *this;
  }
  // A list of one scalar may be written without brackets.
  Field& or_single() {
    field_.is_single_allowed = true;
    return *this;
  }

 private:
  FieldDescription& field_;
};

template <class T>
const Type& type_of();

// The V of describe(V&, T&).
class Describer {
 public:
  explicit Describer(std::span<const std::byte> object) : object_(object) {}

  // Names and help must be string literals: they are kept.
  template <class T>
  Field<T> field(std::string_view name, T& member, std::string_view help) {
    Field<T> described(add(name, &member, help, type_of<T>()));
    using Scalar = Field<T>::Scalar;
    if constexpr (WholeNumber<Scalar>) {
      described.range(std::numeric_limits<Scalar>::min(), std::numeric_limits<Scalar>::max());
    }
    return described;
  }

  // The struct is a choice: one of its keys is written, and no other.
  void exactly_one() { has_exactly_one_ = true; }
  // Of such a struct, whose members are optional: the name of a key alone may be written as well,
  // and stands for that key with all its defaults.
  void or_name() { is_name_allowed_ = true; }

  std::size_t offset_of(const void* member) const;
  bool has_exactly_one() const { return has_exactly_one_; }
  bool is_name_allowed() const { return is_name_allowed_; }
  std::vector<FieldDescription> take_fields() { return std::move(fields_); }

 private:
  FieldDescription& add(std::string_view name, const void* member, std::string_view help,
                        const Type& type);

  std::span<const std::byte> object_;
  std::vector<FieldDescription> fields_;
  bool has_exactly_one_ = false;
  bool is_name_allowed_ = false;
};

template <class T>
const StructDescription& description_of() {
  static T initial{};
  static const StructDescription description = [] {
    StructDescription made;
    Describer describer(std::as_bytes(std::span(&initial, 1)));
    describe(describer, initial);
    made.fields = describer.take_fields();
    made.has_exactly_one = describer.has_exactly_one();
    made.is_name_allowed = describer.is_name_allowed();
    made.defaults = &initial;
    if constexpr (requires {
                    { initial.position } -> std::same_as<Position&>;
                  }) {
      made.position_offset = describer.offset_of(&initial.position);
    }
    return made;
  }();
  return description;
}

template <class E>
struct EnumNames {
  static constexpr auto kNames = names_of(E{});
  static constexpr auto kChoices = [] {
    std::array<std::string_view, kNames.size()> choices;
    for (std::size_t i = 0; i < choices.size(); ++i) choices[i] = kNames[i].first;
    return choices;
  }();

  static Parsed parse(std::string_view text, void* out) {
    for (const auto& [name, value] : kNames) {
      if (name != text) continue;
      *static_cast<E*>(out) = value;
      return {};
    }
    return std::unexpected(std::string());
  }
  static std::string print(const void* value) {
    for (const auto& [name, named] : kNames) {
      if (named == *static_cast<const E*>(value)) return std::string(name);
    }
    return {};
  }
};

template <class E>
constexpr Type make_enum_type() {
  return {.kind = Type::Kind::scalar,
          .choices = EnumNames<E>::kChoices,
          .parse = &EnumNames<E>::parse,
          .print = &EnumNames<E>::print};
}

template <class T>
constexpr Type make_scalar_type() {
  Type type{.kind = Type::Kind::scalar};
  type.scalar = scalar_info(std::type_identity<T>{});
  type.parse = [](std::string_view text, void* out) -> Parsed {
    return parse_scalar(text, *static_cast<T*>(out));
  };
  type.print = [](const void* value) -> std::string {
    return print_scalar(*static_cast<const T*>(value));
  };
  if constexpr (requires(const T& value) { measure_scalar(value); }) {
    type.measure = [](const void* value) -> long double {
      return measure_scalar(*static_cast<const T*>(value));
    };
  }
  return type;
}

// Turns a C++ type into its Type; one overload a kind.
template <class T>
struct TypeMaker {
  static constexpr Type make() {
    if constexpr (requires { scalar_info(std::type_identity<T>{}); }) {
      return make_scalar_type<T>();
    } else if constexpr (std::is_enum_v<T>) {
      return make_enum_type<T>();
    } else {
      return {.kind = Type::Kind::structure, .structure = &description_of<T>};
    }
  }
};

template <class T>
struct TypeMaker<std::vector<T>> {
  static constexpr Type make() {
    using List = std::vector<T>;
    Type type{.kind = Type::Kind::list, .element = &type_of<T>};
    type.clear = [](void* list) { static_cast<List*>(list)->clear(); };
    type.emplace = [](void* list) -> void* { return &static_cast<List*>(list)->emplace_back(); };
    type.item = [](const void* holder, std::size_t index) -> const void* {
      const List& list = *static_cast<const List*>(holder);
      return index < list.size() ? &list[index] : nullptr;
    };
    return type;
  }
};

template <class T>
struct TypeMaker<std::optional<T>> {
  static constexpr Type make() {
    using Optional = std::optional<T>;
    Type type{.kind = Type::Kind::optional, .element = &type_of<T>};
    type.emplace = [](void* holder) -> void* { return &static_cast<Optional*>(holder)->emplace(); };
    type.item = [](const void* holder, std::size_t index) -> const void* {
      const Optional& optional = *static_cast<const Optional*>(holder);
      return index == 0 && optional ? &*optional : nullptr;
    };
    return type;
  }
};

template <class T>
struct TypeMaker<Located<T>> {
  static constexpr Type make() {
    using Holder = Located<T>;
    Type type{.kind = Type::Kind::located, .element = &type_of<T>};
    type.emplace = [](void* holder) -> void* { return &static_cast<Holder*>(holder)->value; };
    type.item = [](const void* holder, std::size_t index) -> const void* {
      return index == 0 ? &static_cast<const Holder*>(holder)->value : nullptr;
    };
    type.locate = [](void* holder, Position position) {
      static_cast<Holder*>(holder)->position = position;
    };
    return type;
  }
};

template <class T>
const Type& type_of() {
  static constexpr Type kType = TypeMaker<T>::make();
  return kType;
}

// The struct that a value of this type, or an item of it, is made of; null if it is a scalar.
const StructDescription* struct_within(const Type& type);

// A struct and the keys that lead to it from the root, where they do so first.
struct NamedStruct {
  const StructDescription* description;
  std::string path;       // "listeners.routes.match"; empty for the root
  std::string_view help;  // of the field; empty for the root
};

// Every struct that can be reached, each once, the root first, then as the file would show them.
std::vector<NamedStruct> list_structs(const StructDescription& root);

// "whole number", "list of duration", "one of http, tcp": what a person calls values of this type.
std::string type_name(const Type& type);

}  // namespace weir::config
