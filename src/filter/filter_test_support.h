#pragma once
// Filters as configurations make them, for their tests.

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>

#include "config/node.h"
#include "config/reader.h"
#include "filter/filters.h"

namespace weir::filter::test {

// Of an entry of a list, as it is written in a configuration; what is wrong with it, or the filter.
struct Made {
  std::string problems;
  std::shared_ptr<const proxy::Filter> filter;
};
inline Made make(std::string_view yaml) {
  config::Problems problems;
  const config::Document document = config::parse_document("f", std::string(yaml), problems);
  FilterSettings settings;
  config::read(document.root, settings, problems);
  check_filter(settings, problems);
  if (problems.has_errors()) return {config::print(problems, document), nullptr};
  return {{}, make_filter(settings)};
}

// End-to-end fields, as they would be written.
inline std::string text_of(const http::FieldList& fields) {
  std::string text;
  for (const http::Field& field : fields) {
    if (field.scope == http::Scope::hop_by_hop) continue;
    text += std::string(field.name) + ": " + std::string(field.value) + "\n";
  }
  return text;
}

}  // namespace weir::filter::test
