#pragma once
// What differs between two values of a described struct, setting by setting: what a reload changes.
// Where something was written (Located, a member `Position position`) never counts.

#include <cstdint>
#include <string>
#include <vector>

#include "config/description.h"

namespace weir::config {

// One setting, or one item of a list, that differs.
struct Difference {
  // reordered: the items of the list at `path` that are in both have another order.
  enum class Kind : std::uint8_t { added, removed, changed, reordered };
  Kind kind = Kind::changed;
  // Keys from the root: "timeouts.connect". An item of a list is written by its name if the items
  // are structs with a required string `name`, "servers[u1].weight", and otherwise by its place
  // from 0, "hosts[2]".
  std::string path;
  // As a file would have it, a mapping with what differs from its defaults; long text is cut.
  // Empty: it is not there, or only the order is another.
  std::string before;
  std::string after;

  friend bool operator==(const Difference&, const Difference&) = default;
};

// Both point to values of this type. Any thread. The time grows with the size of the values.
std::vector<Difference> find_differences(const Type& type, const void* before, const void* after);
bool is_equal(const Type& type, const void* a, const void* b);

// In the order of the description; of a list with names what was removed comes first.
template <class T>
std::vector<Difference> find_differences(const T& before, const T& after) {
  return find_differences(type_of<T>(), &before, &after);
}

// Whether find_differences() would find none, without looking for more than one.
template <class T>
bool is_equal(const T& a, const T& b) {
  return is_equal(type_of<T>(), &a, &b);
}

}  // namespace weir::config
