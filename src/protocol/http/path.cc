#include "protocol/http/path.h"

#include "protocol/http/characters.h"

namespace weir::http {
namespace {

// Whether a path may have something to change: escapes, or a segment that is empty or starts with a
// dot. Most paths do not, and cost one pass.
bool may_change(std::string_view path) noexcept {
  char before = 0;
  for (const char c : path) {
    if (c == '%' || (before == '/' && (c == '/' || c == '.'))) return true;
    before = c;
  }
  return false;
}

// Builds the path a decoded byte at a time. A segment is judged when it ends.
class PathWriter {
 public:
  explicit PathWriter(std::span<char> out) noexcept : out_(out) {}

  // False: it climbed above the root.
  [[nodiscard]] bool add(char c) noexcept {
    if (c == '/' && size_ != 0) {
      if (!end_segment()) return false;
      if (out_[size_ - 1] == '/') return true;
    }
    out_[size_++] = c;
    if (c == '/') segment_ = size_;
    return true;
  }

  // Takes back "." and "..", with the segment that ".." leaves; then the path ends in a slash.
  [[nodiscard]] bool end_segment() noexcept {
    const std::string_view segment(out_.data() + segment_, size_ - segment_);
    if (segment == ".") size_ = segment_;
    if (segment != "..") return true;
    if (segment_ == 1) return false;
    size_ = segment_ - 1;
    while (out_[size_ - 1] != '/') --size_;
    segment_ = size_;
    return true;
  }

  std::string_view path() const noexcept { return {out_.data(), size_}; }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
  std::size_t segment_ = 0;  // where the segment being written starts, after its slash
};

}  // namespace

std::optional<std::string_view> normalize_path(std::string_view raw, std::span<char> out) noexcept {
  if (raw == "*") return raw;
  if (!raw.starts_with('/')) return std::nullopt;
  if (!may_change(raw)) return raw;
  WEIR_ASSERT(out.size() >= raw.size());
  PathWriter writer(out);
  for (std::size_t at = 0; at < raw.size(); ++at) {
    char c = raw[at];
    if (c == '%') {
      if (raw.size() - at < 3) return std::nullopt;
      const int high = hex_value(raw[at + 1]);
      const int low = hex_value(raw[at + 2]);
      if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      at += 2;
    }
    if (!writer.add(c)) return std::nullopt;
  }
  if (!writer.end_segment()) return std::nullopt;
  return writer.path() == raw ? raw : writer.path();
}

}  // namespace weir::http
