#include "config/node.h"

#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <utility>

namespace weir::config {
namespace {

struct Parse {
  Document document;
  std::string printed;
};

Parse parse(std::string text) {
  Problems problems;
  Parse result{parse_document("f", std::move(text), problems), {}};
  result.printed = print(problems, result.document);
  return result;
}

std::string at(const Node& node) {
  return std::to_string(node.position.line) + ":" + std::to_string(node.position.column);
}

// The tree as one line, each key and value with its place.
std::string show(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "null@" + at(node);
    case Node::Kind::scalar:
      return (node.quoted ? "\"" + node.text + "\"" : node.text) + "@" + at(node);
    case Node::Kind::sequence:
    case Node::Kind::mapping:
      break;
  }
  std::string out = node.kind == Node::Kind::sequence ? "[@" : "{@";
  out += at(node);
  for (const Node& child : node.children) out += " " + show(child);
  return out + (node.kind == Node::Kind::sequence ? "]" : "}");
}

std::string tree(std::string text) {
  const Parse result = parse(std::move(text));
  return result.printed.empty() ? show(result.document.root) : result.printed;
}

TEST(Document, KnowsThePlaceOfEveryKeyAndValue) {
  EXPECT_EQ(tree("a: 1\nb:\n  - x\n  - 'y'\n"), "{@1:1 a@1:1 1@1:4 b@2:1 [@3:3 x@3:5 \"y\"@4:5]}");
  EXPECT_EQ(tree("{ a: 1, b: [x] }"), "{@1:1 a@1:3 1@1:6 b@1:9 [@1:12 x@1:13]}");
  EXPECT_EQ(tree("a:\n  - { b: c }\n  - d: e\n    f: g\n"),
            "{@1:1 a@1:1 [@2:3 {@2:5 b@2:7 c@2:10} {@3:5 d@3:5 e@3:8 f@4:5 g@4:8}]}");
}

TEST(Document, KeepsDuplicateKeysForTheReader) {
  EXPECT_EQ(tree("{ a: 1, a: 2 }"), "{@1:1 a@1:3 1@1:6 a@1:9 2@1:12}");
}

TEST(Document, ColumnsCountCodePoints) {
  EXPECT_EQ(tree("{ ä€: 😀, b: c }"), "{@1:1 ä€@1:3 😀@1:7 b@1:10 c@1:13}");
}

TEST(Document, LinesMayEndAsOnWindowsAndTheFileMayHaveAMark) {
  EXPECT_EQ(tree("\xef\xbb\xbf"
                 "a: 1\r\nb: 2\r\n"),
            "{@1:1 a@1:1 1@1:4 b@2:1 2@2:4}");
}

TEST(Document, AnEmptyValueIsAtItsKeyOrAtTheEndOfWhatStandsBefore) {
  EXPECT_EQ(tree("a:\nnull_like: ~\n"), "{@1:1 a@1:1 null@1:1 null_like@2:1 null@2:12}");
  EXPECT_EQ(tree("-\n-\n- x\n"), "[@1:1 null@1:1 null@2:1 x@3:3]");
  EXPECT_EQ(tree(""), "null@1:1");
}

TEST(Document, AnAliasIsACopyAtThePlaceOfItsAnchor) {
  EXPECT_EQ(tree("a: &x [1, 2]\nb: *x\n"),
            "{@1:1 a@1:1 [@1:4 1@1:8 2@1:11] b@2:1 [@1:4 1@1:8 2@1:11]}");
}

TEST(Document, RefusesASyntaxErrorInWordsOfTheFile) {
  EXPECT_EQ(tree("a: [1, 2\nb: 3\n"), "f:2:2: error: expected ',' or ']'\nb: 3\n ^\n");
  EXPECT_EQ(tree("{ a: 1 b: 2 }\n"),
            "f:1:9: error: expected ',' or '}'\n{ a: 1 b: 2 }\n        ^\n");
  EXPECT_EQ(tree("a: [1]]\n"),
            "f:1:7: error: this closes nothing that is open\na: [1]]\n      ^\n");
  EXPECT_EQ(tree("a: b: c\n"),
            "f:1:5: error: a colon is not allowed here (is it indented wrong, or needs quotes?)\n"
            "a: b: c\n"
            "    ^\n");
  EXPECT_EQ(tree("a:\n  b: 1\n c: 2\n"),
            "f:3:2: error: expected a key of the mapping before it (is it indented wrong?)\n"
            " c: 2\n"
            " ^\n");
  EXPECT_EQ(tree("a:\n\t- b\n"), "f:2:2: error: a tab may not indent\n\t- b\n\t^\n");
  EXPECT_EQ(tree("a: @b\n"),
            "f:1:4: error: a value that starts with this needs quotes\na: @b\n   ^\n");
  EXPECT_EQ(tree("a: *b\n"),
            "f:1:4: error: not YAML: the referenced anchor is not defined\na: *b\n   ^\n");
}

TEST(Document, RefusesAQuoteThatIsNotClosed) {
  EXPECT_EQ(tree("a: \"b"), "f:1:6: error: the quote is not closed\na: \"b\n     ^\n");
  EXPECT_EQ(tree("a: \"b\\\"\n"), "f:1:4: error: the quote is not closed\na: \"b\\\"\n   ^\n");
  EXPECT_EQ(tree("a: &x 'b''\n"), "f:1:4: error: the quote is not closed\na: &x 'b''\n   ^\n");
  EXPECT_EQ(tree("- 'it''s'\n- \"\\\"\"\n- |\n  x\n"),
            "[@1:1 \"it's\"@1:3 \"\"\"@2:3 \"x\n\"@3:3]");
}

TEST(Document, RefusesWhatFollowsTheDocument) {
  EXPECT_EQ(tree("---\na: 1\n---\nb: 2\n"),
            "f:3:1: error: a configuration is one YAML document\n---\n^\n");
  EXPECT_EQ(tree("{ a: 1 }\nb: 2\n"), "f:2:1: error: expected the end of the file\nb: 2\n^\n");
}

TEST(Document, RefusesTags) {
  EXPECT_EQ(tree("a: !!str 5\n"), "f:1:4: error: tags are not supported\na: !!str 5\n   ^\n");
}

TEST(Document, RefusesKeysThatAreNotText) {
  EXPECT_EQ(tree("? [a]\n: b\n"), "f:1:3: error: a key must be plain text\n? [a]\n  ^\n");
  EXPECT_EQ(tree("~: b\n"), "f:1:1: error: a key must be plain text\n~: b\n^\n");
}

TEST(Document, RefusesBytesThatAreNotText) {
  EXPECT_EQ(tree("ä: \xff\n"), "f:1:4: error: not UTF-8 text\nä: ?\n   ^\n");
  EXPECT_EQ(tree("a: \x04 b\n"), "f:1:4: error: control character\na: ? b\n   ^\n");
  EXPECT_EQ(tree(std::string("a\0: b", 5)), "f:1:2: error: control character\na?: b\n ^\n");
}

TEST(Document, RefusesAnAliasWithoutEnd) {
  EXPECT_EQ(tree("a: &x [*x]\n"),
            "f:1:8: error: an alias inside of its own anchor has no end\na: &x [*x]\n       ^\n");
}

TEST(Document, RefusesDeepNesting) {
  EXPECT_EQ(parse(std::string(kDepthMax, '[') + std::string(kDepthMax, ']')).printed, "");
  EXPECT_TRUE(parse(std::string(kDepthMax + 1, '[') + std::string(kDepthMax + 1, ']'))
                  .printed.starts_with("f:1:65: error: nested more than 64 levels deep\n"));
}

TEST(Document, CountsTheDepthAndTheNodesOfAliases) {
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  EXPECT_TRUE(parse("- &a " + deep + "\n- " + std::string(30, '[') + "*a" + std::string(30, ']'))
                  .printed.starts_with("f:2:33: error: nested more than 64 levels deep\n"));
  std::string bomb = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string alias = "*a" + std::to_string(i - 1);
    bomb += "- &a" + std::to_string(i) + " [" + alias;
    for (int k = 1; k < 10; ++k) bomb += ", " + alias;
    bomb += "]\n";
  }
  EXPECT_NE(parse(bomb).printed.find("error: more than 5000000 keys and values\n"),
            std::string::npos);
}

TEST(Document, RefusesALargeFile) {
  EXPECT_EQ(parse(std::string(kFileSizeMax + 1, '#')).printed, "f: error: larger than 64 MiB\n");
}

TEST(Document, IsLoadedFromDisk) {
  const std::string path = testing::TempDir() + "weir_config_node_test.yaml";
  const std::string comment(200'000, '#');
  std::ofstream(path) << comment << "\na: 1\n";
  Problems problems;
  const Document document = load_document(path, problems);
  std::remove(path.c_str());
  EXPECT_TRUE(problems.is_empty());
  EXPECT_EQ(document.file_name, path);
  EXPECT_EQ(show(document.root), "{@2:1 a@2:1 1@2:4}");
}

TEST(Document, AFileThatCannotBeReadIsAProblemOfTheFile) {
  for (const auto& [path, reason] :
       {std::pair("/nonexistent/weir.yaml", "No such file or directory"),
        std::pair("/", "Is a directory")}) {
    Problems problems;
    const Document document = load_document(path, problems);
    EXPECT_EQ(print(problems, document),
              std::string(path) + ": error: cannot be read: " + reason + "\n");
  }
}

}  // namespace
}  // namespace weir::config
