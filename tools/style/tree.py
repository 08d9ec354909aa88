"""What all checks share: the files of the tree, a file's text with and without comments, and violations."""
import functools
import re
from pathlib import Path
from typing import NamedTuple


class Violation(NamedTuple):
    path: str
    line: int
    message: str  # what is wrong, and in brackets what to do
    subject: str = "*"  # what an exception names: a function, a word, a file ("*")


class Source(NamedTuple):
    path: str  # relative to the root, with "/"
    text: str
    code: str  # text with comments and the inside of literals blanked; same lines and columns

    @property
    def is_header(self):
        return self.path.endswith(".h")

    @property
    def is_test(self):
        """A test, or what tests share."""
        return re.search(r"_test(_\w+)?\.(h|cc)$", self.path) is not None

    @property
    def top(self):
        """The folder below src/."""
        return self.path.split("/")[1]


class Tree:
    def __init__(self, root):
        self.root = Path(root)

    def files(self, folder, *suffixes):
        """Paths below a folder, or the folder's own path if it is a file."""
        base = self.root / folder
        found = [base] if base.is_file() else sorted(base.rglob("*")) if base.is_dir() else []
        return [str(f.relative_to(self.root)) for f in found
                if f.is_file() and f.suffix in suffixes and "__pycache__" not in f.parts]

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8")

    @functools.cached_property
    def sources(self):
        texts = ((path, self.text(path)) for path in self.files("src", ".h", ".cc"))
        return [Source(path, text, without_comments(text)) for path, text in texts]

    @functools.cached_property
    def pages(self):
        """Documentation: Markdown at the root and below docs/ and bench/."""
        top = [f.name for f in sorted(self.root.glob("*.md"))]
        return top + self.files("docs", ".md") + self.files("bench", ".md")


_TOKEN = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | R"(?P<mark>[^()\s\\]*)\(.*?\)(?P=mark)"
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'
    """, re.DOTALL | re.VERBOSE)


def without_comments(text):
    def blank(match):
        token = match.group()
        if _is_include(text, match.start()):
            return token
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]
    return _TOKEN.sub(blank, text)


def _is_include(text, at):
    line = text[text.rfind("\n", 0, at) + 1:at]
    return re.match(r"\s*#\s*include\s*$", line) is not None


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def numbered_lines(text):
    return enumerate(text.split("\n"), 1)
