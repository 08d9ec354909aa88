"""Each check finds what it is for, and leaves alone what resembles it."""
import pytest

import check
import docs
import headers
import layers
import lengths
import words
from tree import Tree, without_comments


@pytest.fixture
def make_tree(tmp_path):
    def make(files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return Tree(tmp_path)
    return make


@pytest.fixture
def lines_found(make_tree):
    """The lines at which a check finds something in one file."""
    def found(check_function, text, path="src/proxy/a.cc"):
        return [v.line for v in check_function(make_tree({path: text}))]
    return found


def test_comments_and_literals_are_blanked_in_place():
    text = 'int a = 1\'000; // new x\nauto s = "a // b"; char c = \'"\'; /* x\n y */ auto r = R"(new "q")";\n'
    code = without_comments(text)
    assert [len(line) for line in code.split("\n")] == [len(line) for line in text.split("\n")]
    assert "1'000" in code and "new" not in code and "b" not in code.replace("auto", "")


def test_an_include_keeps_its_name():
    assert '"base/fd.h"' in without_comments('#include "base/fd.h"\n')


@pytest.mark.parametrize("path, included, allowed", [
    ("src/net/a.cc", "base/fd.h", True),
    ("src/net/a.cc", "net/b.h", True),
    ("src/net/a.cc", "proxy/b.h", False),
    ("src/balance/a.cc", "health/b.h", False),
    ("src/stats/a.cc", "base/b.h", True),
    ("src/base/a.cc", "stats/b.h", False),
    ("src/protocol/http1/a.cc", "protocol/http/b.h", True),
    ("src/protocol/http1/a.cc", "protocol/http1/b.h", True),
    ("src/protocol/http/a.cc", "protocol/http1/b.h", False),
    ("src/protocol/http1/a.cc", "protocol/http2/b.h", False),
    ("src/proxy/http/a.cc", "proxy/b.h", True),
    ("src/proxy/a.cc", "proxy/http/b.h", False),
    ("src/net/a.cc", "b.h", False),
    ("src/net/a.cc", "gtest/gtest.h", False),
])
def test_layers(lines_found, path, included, allowed):
    assert lines_found(layers.check_layers, f'#pragma once\n#include "{included}"\n', path) == ([] if allowed else [2])


def test_an_include_in_a_comment_is_none(lines_found):
    assert lines_found(layers.check_layers, '// #include "app/b.h"\n', "src/base/a.cc") == []


def test_an_unknown_folder_is_found(lines_found):
    assert lines_found(layers.check_layers, "", "src/shiny/a.cc") == [1]


@pytest.mark.parametrize("path, included, allowed", [
    ("src/net/a.h", "<iostream>", False),
    ("src/net/a.h", "<functional>", False),
    ("src/net/a.h", "<openssl/ssl.h>", False),
    ("src/net/a.h", "<liburing.h>", False),
    ("src/net/a.h", "<gtest/gtest.h>", False),
    ("src/net/a_test.h", "<gtest/gtest.h>", True),
    ("src/net/a_test_support.h", "<functional>", True),
    ("src/net/a.h", "<sys/socket.h>", True),
    ("src/net/a.cc", "<openssl/ssl.h>", True),
])
def test_header_includes(lines_found, path, included, allowed):
    assert lines_found(headers.check_header_includes, f"#include {included}\n", path) == ([] if allowed else [1])


def test_a_header_that_leans_on_its_includer_is_found_until_it_is_mended(make_tree):
    tree = make_tree({"src/base/a.h": "#pragma once\nstd::size_t size();\n", "src/base/b.h": "#pragma once\n"})
    assert [v.path for v in headers.check_header_self_contained(tree)] == ["src/base/a.h"]
    tree = make_tree({"src/base/a.h": "#pragma once\n#include <cstddef>\nstd::size_t size();\n"})
    assert list(headers.check_header_self_contained(tree)) == []


def test_a_header_is_compiled_again_when_what_it_includes_changed(make_tree):
    user = '#pragma once\n#include "base/b.h"\ninline int twice() { return 2 * kOne; }\n'
    tree = make_tree({"src/base/a.h": user, "src/base/b.h": "#pragma once\ninline constexpr int kOne = 1;\n"})
    assert list(headers.check_header_self_contained(tree)) == []
    tree = make_tree({"src/base/b.h": "#pragma once\n"})
    assert [v.path for v in headers.check_header_self_contained(tree)] == ["src/base/a.h"]


FUNCTIONS = '''
#define MACRO(x) \\
  { x; }
namespace weir {
struct Row { int a = 1; Row() : a{2} { touch(); } };
constexpr std::array kRows = {Row{}, Row{}};
enum class Kind : int { one, two };
class alignas(64) Cell final : public Base {
 public:
  Cell(int a, int b)
      : a_{a}, b_(b) {
    if (a) { b_ = 0; }
  }
  bool operator==(const Cell& o) const { return a_ == o.a_; }
  int size() const noexcept override {
    return [&] { return a_; }();
  }
};
template <class T = int>
auto find(std::span<T> all, Options options = {}) -> Result<T>
{
  return {};
}
const auto kLambda = [](int x) { return x; };
}
TEST(Cell, IsSmall) {
  for (int i = 0; i < 3; ++i) { }
}
'''


def test_functions_are_found_with_their_lines():
    assert list(lengths.functions(without_comments(FUNCTIONS))) == [
        ("Row", 5, 5),
        ("Cell", 10, 13),
        ("operator==", 14, 14),
        ("size", 15, 17),
        ("find", 19, 23),
        ("Cell.IsSmall", 26, 28),
    ]


def test_lengths(lines_found):
    body = "  f();\n"
    assert lines_found(lengths.check_function_length, "void g() {\n" + 68 * body + "}\n") == []
    assert lines_found(lengths.check_function_length, "\nvoid g() {\n" + 69 * body + "}\n") == [2]
    assert lines_found(lengths.check_file_length, 800 * "\n") == []
    assert lines_found(lengths.check_file_length, 801 * "\n") == [801]
    assert lines_found(lengths.check_line_length, "// " + 97 * "é" + "\n// " + 98 * "é") == [2]


@pytest.mark.parametrize("line", [
    "std::function<void()> f;",
    "std::regex r;",
    "#include <iostream>",
    "using namespace std;",
    "auto* x = new Thing(1);",
    "auto* x = new (place) Thing;",
    "delete x;",
    "delete[] x;",
    "std::this_thread::sleep_for(1s);",
    "  ::usleep(5);",
    "  sleep(1);",
    "struct promise_type {};",
    "if (simulated_) {",
])
def test_banned(lines_found, line):
    assert lines_found(words.check_banned_words, f"\n{line}\n") == [2]


@pytest.mark.parametrize("line", [
    "// a new thing; delete it",
    'const char* s = "new Thing, delete x, sleep(1)";',
    "Thing(const Thing&) = delete;",
    "void* operator new(std::size_t);",
    "void operator delete(void*) noexcept;",
    "newest = renew(x);",
    "Method::delete_;",
    "using namespace std::chrono_literals;",
    "co_await worker.sleep(1s);",
    "SleepAwaiter sleep(Duration duration);",
])
def test_not_banned(lines_found, line):
    assert lines_found(words.check_banned_words, f"\n{line}\n") == []


def test_some_words_are_for_some_places(lines_found):
    assert lines_found(words.check_banned_words, "auto* x = new Thing;\n", "src/base/a.cc") == []
    assert lines_found(words.check_banned_words, "struct promise_type {};\n", "src/runtime/a.h") == []
    assert lines_found(words.check_banned_words, "std::function<void()> f;\n", "src/net/a_test.cc") == []


@pytest.mark.parametrize("line, found", [
    ("// TODO: later", True),
    ("// TODO(x): later", True),
    ("// TODO(waits for kernel 6.20): later", False),
    ("// FIXME", True),
    ('setenv("TZ", "XXX-02:30", 1);', False),
])
def test_unfinished(lines_found, line, found):
    assert lines_found(words.check_unfinished, line) == ([1] if found else [])


@pytest.mark.parametrize("line, found", [
    ("  // close(fd);", True),
    ("  // int x = f(y);", True),
    ("  // stream.head_ = {};", True),
    ("  // if (x) {", True),
    ("  // return size_;", True),
    ("  // The peer may close (RFC 9112 9.6); a short read is an end;", False),
    ("  // for each of them;", False),
    ("//   v.field(x, y);", False),
])
def test_commented_out_code(lines_found, line, found):
    assert lines_found(words.check_commented_out_code, line) == ([1] if found else [])


@pytest.mark.parametrize("line, found", [
    ("void close(bool drain);", True),
    ("void close(int fd, bool drain = true);", True),
    ("bool is_idle() const;", False),
    ("explicit operator bool() const;", False),
    ("Parsed parse(std::string_view text, bool& out);", False),
    ("struct Options { bool drain = false; };", False),
])
def test_bool_parameters(lines_found, line, found):
    assert lines_found(words.check_bool_parameters, line, "src/net/a.h") == ([1] if found else [])


@pytest.mark.parametrize("line, found", [
    ("time.sleep(1)", True),
    ("    sleep(0.1)", True),
    ("# time.sleep(1)", False),
    ("wait_until(ready)", False),
])
def test_sleep_in_tests(lines_found, line, found):
    assert lines_found(words.check_sleep_in_tests, line, "tests/e2e/test_a.py") == ([1] if found else [])


def test_folder_names(lines_found):
    assert lines_found(words.check_folder_names, "", "src/net/utils/a.cc") == [1]


def test_symbols_in_documentation_exist(make_tree):
    tree = make_tree({
        "src/net/a.h": "class Relay { void pump(); };",
        "ARCHITECTURE.md": "`Relay::pump` `pump()` `std::move` `gone` `a_b`\n`Relay::gone(x)`\n```\n`gone()`\n```\n",
        "docs/a/b.md": "`gone()`",
    })
    assert [(v.path, v.line) for v in docs.check_symbols_exist(tree)] == [("ARCHITECTURE.md", 2), ("docs/a/b.md", 1)]


def test_links_resolve(make_tree):
    tree = make_tree({
        "README.md": "[a](docs/a.md#top) [b](https://example.org) [c](#here)\n[d](docs/d.md)\n",
        "docs/a.md": "[up](../README.md)",
    })
    assert [(v.path, v.line) for v in docs.check_links(tree)] == [("README.md", 2)]


def test_generated_pages_are_compared(make_tree, capsys):
    tree = make_tree({
        docs.GENERATED: "# PATH COMMAND\nsame.txt bin/say\nother.txt bin/say\nlater.txt bin/none\n",
        "bin/say": "#!/bin/sh\necho yes\n", "same.txt": "yes\n", "other.txt": "no\n",
    })
    (tree.root / "bin/say").chmod(0o755)
    assert [v.path for v in docs.check_generated_pages(tree)] == ["other.txt"]
    assert "later.txt" in capsys.readouterr().out


def test_examples_are_mentioned(make_tree):
    tree = make_tree({"examples/a.yaml": "", "examples/b.yaml": "", "README.md": "[a](examples/a.yaml)"})
    assert [v.path for v in docs.check_examples_mentioned(tree)] == ["examples/b.yaml"]


def test_entries_have_page_test_and_example(make_tree):
    files = {
        "src/balance/pickers.h": 'PickerEntry{"ring", make<Ring>, "docs/ring.md"},\nPickerEntry{"none", make<None>},\n',
        "src/balance/ring_test.cc": "", "docs/ring.md": "", "examples/a.yaml": "balance: ring",
    }
    assert [v.line for v in docs.check_entries(make_tree(files))] == [2, 2, 2]


def test_an_exception_excuses_and_an_unused_one_is_found(make_tree, monkeypatch):
    monkeypatch.setattr(check, "CHECKS", {"banned-words": words.check_banned_words})
    tree = make_tree({
        "src/net/a.cc": "auto* x = new Thing;\n",
        check.EXCEPTIONS: "# comment\nbanned-words src/net/a.cc new why\nbanned-words src/net/a.cc delete why not\n",
    })
    results = check.run_checks(tree)
    assert results["banned-words"] == []
    assert [v.line for v in results["exceptions"]] == [3]
