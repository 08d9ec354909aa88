#pragma once
// The reference page of a configuration: one Markdown table a struct, from the same table as the
// reader.

#include <string>
#include <string_view>

#include "config/description.h"

namespace weir::config {

// Markdown with a final line feed; `title` is its first heading.
std::string reference_page(const StructDescription& root, std::string_view title);

}  // namespace weir::config
