#pragma once
// A YAML file as a tree in which every key and value knows its place (YAML 1.2, one document a
// file, no tags). Configuration is read on the jobs thread; nothing here is for workers.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config/problem.h"

namespace weir::config {

inline constexpr std::size_t kFileSizeMax = std::size_t{64} << 20;
inline constexpr std::size_t kNodesMax = 5'000'000;
inline constexpr std::size_t kDepthMax = 64;

struct Node {
  enum class Kind : std::uint8_t { null, scalar, sequence, mapping };

  Kind kind = Kind::null;
  bool quoted = false;         // a scalar that was not written plain
  Position position;           // where the value starts; of an empty value, its key
  std::string text;            // of a scalar, without quotes and escapes
  std::vector<Node> children;  // items of a sequence; of a mapping, key and value in turn
};

struct Document {
  std::string file_name;  // as it is to be printed
  std::string text;       // without a byte order mark
  Node root;              // null if the file is empty or could not be parsed
};

// Parses YAML. Problems are reported, and leave a null root: text that is not UTF-8, control
// characters, syntax errors, more than one document, tags, keys that are not scalars, and what
// exceeds the limits. An alias stands for a copy of its anchor's value, with the positions of the
// anchor.
Document parse_document(std::string file_name, std::string text, Problems& problems);

// The same for a file on disk. A file that cannot be read is a problem of the file as a whole.
Document load_document(const std::string& path, Problems& problems);

}  // namespace weir::config
