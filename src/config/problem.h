#pragma once
// What is wrong with a configuration, and where. All problems are collected; none stops the
// reading.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weir::config {

struct Document;

// A place in a file. Both count from 1; a column counts code points. 0:0 is the file as a whole.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend auto operator<=>(const Position&, const Position&) = default;
};

// A value together with where it was written. A settings struct holds a Located<std::string> where
// a later check (a reference to another object, say) may have to report that value. To report a
// whole mapping, give its struct a member `config::Position position`. The reader fills both.
template <class T>
struct Located {
  T value{};
  Position position;

  Located() = default;
  Located(T initial) : value(std::move(initial)) {}  // NOLINT: a default is written as plain value
  const T& operator*() const { return value; }
  const T* operator->() const { return &value; }
};

enum class Severity : std::uint8_t { error, warning };

struct Problem {
  Position position;
  Severity severity = Severity::error;
  std::string message;  // without place and severity: "unknown key 'adress'"

  friend auto operator<=>(const Problem&, const Problem&) = default;
};

class Problems {
 public:
  void error(Position position, std::string message);
  void warning(Position position, std::string message);
  bool has_errors() const { return errors_ > 0; }
  bool is_empty() const { return problems_.empty(); }
  // In the order of the file; what was reported twice (through an alias) comes once.
  std::vector<Problem> sorted() const;

 private:
  std::vector<Problem> problems_;
  std::size_t errors_ = 0;
};

// Every problem as three lines: "FILE:LINE:COL: error: message", the source line, and a caret
// beneath the place. A problem of the file as a whole is one line. Only a part of a very long
// source line is shown.
std::string print(const Problems& problems, const Document& document);

}  // namespace weir::config
