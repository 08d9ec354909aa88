#pragma once
// Text as people see it: code points, and pieces of a file that are safe to print on a terminal.

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::config {

// Bytes of the code point that `text` starts with; 0 if `text` is empty, not UTF-8 there, or starts
// with a character that YAML does not allow (a control character other than tab and line feed).
std::size_t code_point_length(std::string_view text);

// Code points in UTF-8 text.
std::size_t count_code_points(std::string_view text);

// The text in single quotes for a message: at most 60 code points, control characters as '?'.
std::string quote(std::string_view text);

// The candidate that somebody who wrote `name` most likely meant, by Damerau-Levenshtein distance
// (one for each missing, extra, wrong or swapped letter); empty if none is near enough to be a
// slip.
class Nearest {
 public:
  explicit Nearest(std::string_view name) : name_(name) {}
  void consider(std::string_view candidate);
  std::string_view best() const { return best_; }
  // " (did you mean 'best'?)", or nothing.
  std::string hint() const;

 private:
  std::string_view name_;
  std::string_view best_;
  std::size_t best_distance_ = static_cast<std::size_t>(-1);
};

}  // namespace weir::config
