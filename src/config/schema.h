#pragma once
// The JSON Schema (draft 2020-12) of a configuration, for editors. It never refuses what the reader
// accepts; the reader knows more (that a duration has no unit twice, say).

#include <string>
#include <string_view>

#include "config/description.h"

namespace weir::config {

// Indented JSON with a final line feed.
std::string json_schema(const StructDescription& root, std::string_view title);

}  // namespace weir::config
