#include "proxy/template.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "config/text.h"

namespace weir::proxy {
namespace {

constexpr bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < ' ' || byte == 0x7f;
}

std::string at_character(std::string_view text, std::size_t byte) {
  return fmt::format("at character {}", config::count_code_points(text.substr(0, byte)) + 1);
}

// Takes whole pieces of text until one does not fit; there is always room for the mark behind them.
class LineWriter {
 public:
  explicit LineWriter(std::span<char> out) noexcept : out_(out) {
    WEIR_ASSERT(out.size() >= Template::kCutMark.size());
  }

  // False: the line has been cut, nothing more is taken.
  bool add(std::string_view piece) noexcept {
    if (is_cut_) return false;
    if (piece.size() > out_.size() - Template::kCutMark.size() - bytes_) {
      put(Template::kCutMark);
      is_cut_ = true;
      return false;
    }
    put(piece);
    return true;
  }
  bool add_bytes(std::string_view text) noexcept {
    return std::ranges::all_of(text, [this](const char& c) { return add({&c, 1}); });
  }
  // As in the combined log within quotes.
  bool add_value(std::string_view text) noexcept {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    if (text.empty()) return add("-");
    return std::ranges::all_of(text, [&](const char& c) {
      const auto byte = static_cast<unsigned char>(c);
      if (!is_control(c) && byte < 0x80 && c != '"' && c != '\\') return add({&c, 1});
      const char escape[] = {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
      return add({escape, sizeof escape});
    });
  }
  Template::Line line() const noexcept { return {bytes_, is_cut_}; }

 private:
  void put(std::string_view piece) noexcept {
    std::memcpy(out_.data() + bytes_, piece.data(), piece.size());
    bytes_ += piece.size();
  }

  std::span<char> out_;
  std::size_t bytes_ = 0;
  bool is_cut_ = false;
};

std::expected<void, std::string> assign(std::expected<Template, std::string> parsed,
                                        Template& out) {
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  out = std::move(*parsed);
  return {};
}

}  // namespace

std::expected<Template, std::string> Template::parse(std::string_view text, Known at) {
  Template made;
  made.text_ = text;
  // A tab is harmless wherever a template goes.
  const auto* control =
      std::ranges::find_if(text, [](char c) { return is_control(c) && c != '\t'; });
  if (control != text.end()) {
    return std::unexpected("a control character " +
                           at_character(text, static_cast<std::size_t>(control - text.begin())));
  }
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t dollar = std::min(text.find('$', from), text.size());
    made.add_text(text.substr(from, dollar - from));
    if (dollar == text.size()) break;
    const std::string_view rest = text.substr(dollar);
    if (rest.starts_with("$$")) {
      made.add_text("$");
      from = dollar + 2;
      continue;
    }
    if (!rest.starts_with("${")) {
      return std::unexpected("the '$' " + at_character(text, dollar) +
                             " begins no value: expected '${NAME}', or '$$' for a dollar");
    }
    const std::size_t end = rest.find('}');
    if (end == std::string_view::npos) {
      return std::unexpected("the '${' " + at_character(text, dollar) +
                             " is not closed: expected '}' after the name of a value");
    }
    if (auto added = made.add_value(rest.substr(2, end - 2), at); !added) {
      return std::unexpected(std::move(added.error()));
    }
    from = dollar + end + 1;
  }
  return made;
}

void Template::add_text(std::string_view text) {
  if (text.empty()) return;
  if (pieces_.empty() || pieces_.back().row != nullptr) pieces_.emplace_back();
  pieces_.back().text += text;
}

std::expected<void, std::string> Template::add_value(std::string_view name, Known at) {
  const auto value = find_value(name, at);
  if (!value) return std::unexpected(value.error());
  pieces_.push_back({.row = value->row, .text = std::string(value->name)});
  const bool is_new = std::ranges::find(response_fields_, value->name) == response_fields_.end();
  if (is_response_field(*value->row) && is_new) response_fields_.emplace_back(value->name);
  return {};
}

std::optional<std::string_view> Template::constant() const noexcept {
  if (pieces_.empty()) return "";
  if (pieces_.size() > 1 || pieces_[0].row != nullptr) return std::nullopt;
  return pieces_[0].text;
}

std::optional<std::size_t> Template::write(const ValueSource& source,
                                           std::span<char> out) const noexcept {
  const std::optional<Written> written = write_pieces(source, out);
  return written ? std::optional(written->bytes) : std::nullopt;
}

std::optional<std::size_t> Template::write_key(const ValueSource& source,
                                               std::span<char> out) const noexcept {
  const std::optional<Written> written = write_pieces(source, out);
  if (!written || (written->value_bytes == 0 && !constant())) return std::nullopt;
  return written->bytes;
}

std::optional<Template::Written> Template::write_pieces(const ValueSource& source,
                                                        std::span<char> out) const noexcept {
  ValueSpace space;
  Written written;
  for (const Piece& piece : pieces_) {
    const std::string_view text =
        piece.row == nullptr ? piece.text : piece.row->text(source, piece.text, space);
    if (text.size() > out.size() - written.bytes) return std::nullopt;
    const std::span<char> to = out.subspan(written.bytes, text.size());
    if (piece.row == nullptr) {
      std::ranges::copy(text, to.begin());
    } else {
      std::ranges::transform(text, to.begin(), [](char c) { return is_control(c) ? ' ' : c; });
      written.value_bytes += text.size();
    }
    written.bytes += text.size();
  }
  return written;
}

std::string_view Template::first_of_request() const noexcept {
  for (const Piece& piece : pieces_) {
    if (piece.row != nullptr && piece.row->name.starts_with("request.")) return piece.row->name;
  }
  return {};
}

Template::Line Template::write_line(const ValueSource& source, std::span<char> out) const noexcept {
  LineWriter line(out);
  ValueSpace space;
  for (const Piece& piece : pieces_) {
    const bool has_room = piece.row == nullptr
                              ? line.add_bytes(piece.text)
                              : line.add_value(piece.row->text(source, piece.text, space));
    if (!has_room) break;
  }
  return line.line();
}

std::expected<void, std::string> parse_scalar(std::string_view text, RequestTemplate& out) {
  return assign(Template::parse(text, Known::route), out);
}

std::expected<void, std::string> parse_scalar(std::string_view text, ResponseTemplate& out) {
  return assign(Template::parse(text, Known::response), out);
}

std::string print_scalar(const Template& value) { return value.text(); }

}  // namespace weir::proxy
