#include "config/text.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace weir::config {
namespace {

constexpr std::size_t kQuotedMax = 60;
// Names longer than this are not settings; comparing them would cost time for nothing.
constexpr std::size_t kNameMax = 64;

// Optimal string alignment: Damerau-Levenshtein in which no letter is moved twice.
std::size_t distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> cost((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& here = cost[i * width + j];
      if (i == 0 || j == 0) {
        here = i + j;
        continue;
      }
      const std::size_t wrong = a[i - 1] == b[j - 1] ? 0 : 1;
      here = std::min({cost[(i - 1) * width + j] + 1, cost[i * width + j - 1] + 1,
                       cost[(i - 1) * width + j - 1] + wrong});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        here = std::min(here, cost[(i - 2) * width + j - 2] + 1);
      }
    }
  }
  return cost.back();
}

bool is_allowed(std::uint32_t code_point) {
  if (code_point < 0x20) return code_point == '\t' || code_point == '\n';
  if (code_point >= 0x7f && code_point < 0xa0) return false;
  return code_point < 0xd800 || (code_point >= 0xe000 && code_point <= 0x10ffff);
}

}  // namespace

std::size_t code_point_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<std::uint8_t>(text[0]);
  if (first < 0x80) return is_allowed(first) ? 1 : 0;
  const auto length = static_cast<std::size_t>(std::countl_one(first));
  if (length < 2 || length > 4 || text.size() < length) return 0;
  std::uint32_t code_point = first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if ((byte & 0xc0) != 0x80) return 0;
    code_point = (code_point << 6) | (byte & 0x3f);
  }
  constexpr std::uint32_t kSmallest[] = {0x80, 0x800,
                                         0x10000};  // anything below has a shorter form
  if (code_point < kSmallest[length - 2]) return 0;
  return is_allowed(code_point) ? length : 0;
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char byte) { return (byte & 0xc0) != 0x80; }));
}

std::string quote(std::string_view text) {
  std::string quoted = "'";
  for (std::size_t shown = 0; !text.empty(); ++shown) {
    if (shown == kQuotedMax) {
      quoted += "...";
      break;
    }
    const std::size_t length = code_point_length(text);
    const bool printable = length > 0 && text[0] != '\n' && text[0] != '\t';
    quoted += printable ? text.substr(0, length) : "?";
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return quoted + "'";
}

void Nearest::consider(std::string_view candidate) {
  const std::size_t longer = std::max(name_.size(), candidate.size());
  if (longer > kNameMax) return;
  const std::size_t allowed = std::clamp<std::size_t>(longer / 3, 1, 3);
  const std::size_t d = distance(name_, candidate);
  if (d > allowed || d >= candidate.size() || d >= best_distance_) return;
  best_ = candidate;
  best_distance_ = d;
}

std::string Nearest::hint() const {
  return best_.empty() ? "" : " (did you mean " + quote(best_) + "?)";
}

}  // namespace weir::config
