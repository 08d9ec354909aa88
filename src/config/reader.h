#pragma once
// Reads a YAML mapping into a described struct, strictly: an unknown or repeated key, a missing
// one, a wrong type, a value out of range: each is a problem at its place, and reading goes on.

#include "config/description.h"
#include "config/node.h"
#include "config/problem.h"

namespace weir::config {

// `object` is the struct that is described. What is not written keeps its value.
void read_struct(const Node& node, const StructDescription& description, void* object,
                 Problems& problems);

// Reads into `settings`, which is to be used only if `problems` has no error afterwards.
template <class T>
void read(const Node& node, T& settings, Problems& problems) {
  read_struct(node, description_of<T>(), &settings, problems);
}

}  // namespace weir::config
