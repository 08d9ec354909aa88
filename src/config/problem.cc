#include "config/problem.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <string_view>

#include "config/node.h"
#include "config/text.h"

namespace weir::config {
namespace {

// Code points of a source line that are shown, and how many of them before the caret.
constexpr std::size_t kShownMax = 160;
constexpr std::size_t kShownBefore = 80;

// The source line, then a caret beneath the column. Tabs are kept in both, so that they line up.
void print_excerpt(std::string_view line, std::size_t column, std::string& out) {
  const std::size_t first = column > kShownMax ? column - kShownBefore : 1;
  std::string caret_line;
  for (std::size_t at = 1; !line.empty() && at < first + kShownMax; ++at) {
    const std::size_t length = code_point_length(line);
    if (at >= first) {
      out += length > 0 ? line.substr(0, length) : "?";
      if (at < column) caret_line += line[0] == '\t' ? '\t' : ' ';
    }
    line.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '\n' + caret_line + "^\n";
}

// Gives the lines of a text, asked for in rising order.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  std::string_view line(std::size_t number) {
    while (at_ < number) {
      rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size() - 1) + 1);
      ++at_;
    }
    std::string_view found = rest_.substr(0, rest_.find('\n'));
    if (found.ends_with('\r')) found.remove_suffix(1);
    return found;
  }

 private:
  std::string_view rest_;
  std::size_t at_ = 1;
};

}  // namespace

void Problems::error(Position position, std::string message) {
  problems_.push_back({position, Severity::error, std::move(message)});
  ++errors_;
}

void Problems::warning(Position position, std::string message) {
  problems_.push_back({position, Severity::warning, std::move(message)});
}

std::vector<Problem> Problems::sorted() const {
  std::vector<Problem> sorted = problems_;
  std::ranges::sort(sorted);
  const auto repeated = std::ranges::unique(sorted);
  sorted.erase(repeated.begin(), repeated.end());
  return sorted;
}

std::string print(const Problems& problems, const Document& document) {
  std::string out;
  Lines lines(document.text);
  for (const Problem& problem : problems.sorted()) {
    const std::string_view severity = problem.severity == Severity::error ? "error" : "warning";
    const auto [line, column] = problem.position;
    if (line == 0) {
      fmt::format_to(std::back_inserter(out), "{}: {}: {}\n", document.file_name, severity,
                     problem.message);
      continue;
    }
    fmt::format_to(std::back_inserter(out), "{}:{}:{}: {}: {}\n", document.file_name, line, column,
                   severity, problem.message);
    print_excerpt(lines.line(line), column, out);
  }
  return out;
}

}  // namespace weir::config
