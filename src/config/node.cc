#include "config/node.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <iterator>
#include <memory>
#include <sstream>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "base/assert.h"
#include "config/text.h"

namespace weir::config {
namespace {

// Turns byte offsets that do not fall into positions, in one pass over the text.
class PositionCursor {
 public:
  explicit PositionCursor(std::string_view text) : text_(text) {}

  Position advance_to(std::size_t offset) {
    for (offset = std::min(offset, text_.size()); offset_ < offset; ++offset_) {
      if (text_[offset_] == '\n') {
        position_ = {position_.line + 1, 1};
      } else if (offset_ + 1 == text_.size() || (text_[offset_ + 1] & 0xc0) != 0x80) {
        ++position_.column;
      }
    }
    return position_;
  }

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  Position position_{1, 1};
};

// Thrown out of yaml-cpp's callbacks, which have no other way to stop.
struct Refused {
  Position position;
  std::string message;
};

struct Extent {
  std::size_t nodes;
  std::size_t depth;  // of collections
};

// Recursion is bounded: no tree is deeper than kDepthMax.
Extent measure(const Node& node) {
  const bool is_collection = node.kind == Node::Kind::sequence || node.kind == Node::Kind::mapping;
  Extent extent{.nodes = 1, .depth = is_collection ? 1u : 0u};
  for (const Node& child : node.children) {
    const Extent inner = measure(child);
    extent.nodes += inner.nodes;
    extent.depth = std::max(extent.depth, inner.depth + 1);
  }
  return extent;
}

bool is_written_null(std::string_view text) {
  const std::string_view word = text.substr(0, text.find_first_of(" \t\r\n,:]}"));
  return word == "~" || word == "null" || word == "Null" || word == "NULL";
}

// Whether the quoted scalar that `text` starts with has an end. yaml-cpp lets the end of a file
// that ends with a line feed close it. What is not in quotes (a block scalar) needs none.
bool is_quote_closed(std::string_view text) {
  while (text.starts_with('&') || text.starts_with('!')) {
    text.remove_prefix(std::min(text.find_first_of(" \t\r\n"), text.size()));
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  }
  if (!text.starts_with('"') && !text.starts_with('\'')) return true;
  const char quote = text[0];
  const char escape = quote == '"' ? '\\' : '\'';  // of whatever follows, or of another quote
  for (std::size_t at = 1; at < text.size(); ++at) {
    const bool is_escape =
        text[at] == escape && (quote == '"' || text.substr(at + 1).starts_with(quote));
    if (is_escape) {
      ++at;
    } else if (text[at] == quote) {
      return true;
    }
  }
  return false;
}

// Builds the tree from yaml-cpp's events. A collection stays on the stack until it ends.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text), cursor_(text) {
    root_.position = {1, 1};  // an empty file has no event but this place
  }

  Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!std::exchange(started_, true)) return;
    const bool is_marked = text_.substr(offset_of(mark)).starts_with("---");
    throw Refused{position_of(mark), is_marked ? "a configuration is one YAML document"
                                               : "expected the end of the file"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.position = position_of_null(mark);
    add(std::move(node), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = start(Node::Kind::scalar, mark, tag);
    node.quoted = tag == "!";
    if (node.quoted && !is_quote_closed(text_.substr(offset_of(mark)))) {
      throw Refused{node.position, "the quote is not closed"};
    }
    node.text = value;
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) {
      throw Refused{position_of(mark), "an alias inside of its own anchor has no end"};
    }
    add(copy(found->second, position_of(mark)), YAML::NullAnchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open_collection(start(Node::Kind::sequence, mark, tag), anchor);
  }
  void OnSequenceEnd() override { close_collection(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open_collection(start(Node::Kind::mapping, mark, tag), anchor);
  }
  void OnMapEnd() override { close_collection(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor;
  };

  std::size_t offset_of(const YAML::Mark& mark) const {
    return std::min(static_cast<std::size_t>(std::max(mark.pos, 0)), text_.size());
  }
  Position position_of(const YAML::Mark& mark) { return cursor_.advance_to(offset_of(mark)); }

  enum class Due { item, key, value };

  Due due() const {
    if (open_.empty() || open_.back().node.kind != Node::Kind::mapping) return Due::item;
    return open_.back().node.children.size() % 2 == 0 ? Due::key : Due::value;
  }

  // Where nothing is written, yaml-cpp gives the place of the next token. The key says more, or
  // else the end of what stands before.
  Position position_of_null(const YAML::Mark& mark) {
    std::size_t offset = offset_of(mark);
    if (is_written_null(text_.substr(offset))) return cursor_.advance_to(offset);
    if (due() == Due::value) return open_.back().node.children.back().position;
    while (offset > 0 && std::string_view(" \t\r\n").contains(text_[offset - 1])) --offset;
    return cursor_.advance_to(offset > 0 ? offset - 1 : 0);
  }

  Node start(Node::Kind kind, const YAML::Mark& mark, const std::string& tag) {
    Node node;
    node.kind = kind;
    node.position = position_of(mark);
    if (tag.size() > 1) throw Refused{node.position, "tags are not supported"};
    return node;
  }

  Node copy(const Node& node, Position position) {
    const Extent extent = measure(node);
    count(extent.nodes - 1, position);  // add() counts the last one
    if (open_.size() + extent.depth > kDepthMax) refuse_depth(position);
    return node;
  }

  void count(std::size_t nodes, Position position) {
    nodes_ += nodes;
    if (nodes_ > kNodesMax) {
      throw Refused{position, fmt::format("more than {} keys and values", kNodesMax)};
    }
  }

  [[noreturn]] static void refuse_depth(Position position) {
    throw Refused{position, fmt::format("nested more than {} levels deep", kDepthMax)};
  }

  void open_collection(Node node, YAML::anchor_t anchor) {
    if (open_.size() == kDepthMax) refuse_depth(node.position);
    open_.push_back({std::move(node), anchor});
  }

  void close_collection() {
    WEIR_ASSERT(!open_.empty());
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(std::move(closed.node), closed.anchor);
  }

  void add(Node node, YAML::anchor_t anchor) {
    if (node.kind != Node::Kind::scalar && due() == Due::key) {
      throw Refused{node.position, "a key must be plain text"};
    }
    count(1, node.position);
    if (anchor != YAML::NullAnchor) anchored_[anchor] = copy(node, node.position);
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().node.children.push_back(std::move(node));
    }
  }

  std::string_view text_;
  PositionCursor cursor_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Node> anchored_;
  Node root_;
  std::size_t nodes_ = 0;
  bool started_ = false;
};

// What yaml-cpp would take for something else: it guesses other encodings, and reads byte 4 as the
// end.
void check_characters(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t length = code_point_length(text.substr(at));
    if (length == 0 && text.substr(at).starts_with("\r\n")) length = 2;
    if (length == 0) {
      const Position position = PositionCursor(text).advance_to(at);
      const bool is_ascii = (text[at] & 0x80) == 0;
      throw Refused{position, is_ascii ? "control character" : "not UTF-8 text"};
    }
    at += length;
  }
}

// yaml-cpp's messages speak of its tokens; these speak of the file.
std::string syntax_error(std::string_view text, std::size_t offset, const std::string& message) {
  struct Row {
    std::string_view theirs;
    std::string_view ours;
  };
  static constexpr Row kRows[] = {
      {"end of map not found", "expected a key of the mapping before it (is it indented wrong?)"},
      {"end of sequence not found",
       "expected an item of the list before it (is it indented wrong?)"},
      {"illegal map value", "a colon is not allowed here (is it indented wrong, or needs quotes?)"},
      {"illegal block entry", "a list item is not allowed here"},
      {"end of map flow not found", "expected ',' or '}'"},
      {"end of sequence flow not found", "expected ',' or ']'"},
      {"illegal flow end", "this closes nothing that is open"},
      {"illegal EOF in scalar", "the quote is not closed"},
      {"unknown token", "a value that starts with this needs quotes"},
  };
  const std::size_t line_start = text.substr(0, offset).rfind('\n') + 1;
  const std::string_view before = text.substr(line_start, offset - line_start);
  const bool is_indentation = before.find_first_not_of(" \t") == std::string_view::npos;
  if (is_indentation && before.contains('\t')) return "a tab may not indent";
  const Row* row = std::ranges::find(kRows, message, &Row::theirs);
  return row != std::end(kRows) ? std::string(row->ours) : "not YAML: " + message;
}

Node parse(std::string_view text) {
  if (text.size() > kFileSizeMax) {
    throw Refused{{}, fmt::format("larger than {} MiB", kFileSizeMax >> 20)};
  }
  check_characters(text);
  TreeBuilder builder(text);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    const auto offset =
        std::min(static_cast<std::size_t>(std::max(error.mark.pos, 0)), text.size());
    throw Refused{PositionCursor(text).advance_to(offset), syntax_error(text, offset, error.msg)};
  }
  return builder.take_root();
}

}  // namespace

Document parse_document(std::string file_name, std::string text, Problems& problems) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  Document document{std::move(file_name), std::move(text), {}};
  try {
    document.root = parse(document.text);
  } catch (Refused& refused) {
    problems.error(refused.position, std::move(refused.message));
  }
  return document;
}

Document load_document(const std::string& path, Problems& problems) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  std::string text;
  std::size_t size = 0;
  if (file != nullptr) {
    do {
      text.resize(size + (std::size_t{1} << 16));
      size += std::fread(text.data() + size, 1, text.size() - size, file.get());
    } while (size == text.size() && size <= kFileSizeMax);
    text.resize(size);
  }
  if (file == nullptr || std::ferror(file.get()) != 0) {
    problems.error({}, fmt::format("cannot be read: {}", std::strerror(errno)));
    return {path, "", {}};
  }
  return parse_document(path, std::move(text), problems);
}

}  // namespace weir::config
