"""Files, functions and lines are short."""
import re

from tree import Violation, line_of, numbered_lines

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100


def check_file_length(tree):
    for source in tree.sources:
        lines = source.text.count("\n")
        if lines > FILE_LINES_MAX:
            yield Violation(source.path, lines, f"{lines} lines (at most {FILE_LINES_MAX}: split it)")


def check_line_length(tree):
    for source in tree.sources:
        for number, line in numbered_lines(source.text):
            if len(line) > COLUMNS_MAX:
                yield Violation(source.path, number, f"{len(line)} columns (at most {COLUMNS_MAX}: wrap it)")


def check_function_length(tree):
    for source in tree.sources:
        for name, first, last in functions(source.code):
            length = last - first + 1
            if length > FUNCTION_LINES_MAX:
                yield Violation(source.path, first, f"{name} has {length} lines (at most {FUNCTION_LINES_MAX}: "
                                "split it, or list it in tools/style/exceptions.txt with the reason)", name)


_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
_NOT_A_HEAD = re.compile(r"alignas\s*\([^)]*\)|\[\[.*?\]\]|template\s*<[^{}]*?>\s*(?=[a-z])", re.DOTALL)
_NOT_CODE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*|\b(?:public|private|protected)\s*:(?!:)", re.MULTILINE)
_INITIALIZERS = re.compile(r"\)\s*(?:noexcept\s*)?:(?!:)")


def functions(code):
    """(name, first line, last line) of every function body outside other functions.

    A brace is judged by the text since the last end of a declaration: it opens a scope (namespace, class), a
    function, or a list of values, after which the declaration goes on.
    """
    code = _NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), code)
    start = at = 0  # start: of the declaration that is being read
    while at < len(code):
        char = code[at]
        if char == "{":
            head = _NOT_A_HEAD.sub(" ", code[start:at]).strip()
            if _is_function(head):
                end = _matching_brace(code, at)
                begin = start + len(code[start:at]) - len(code[start:at].lstrip())
                yield _name(head), line_of(code, begin), line_of(code, end)
                at = start = end + 1
                continue
            if _SCOPE.search(head) and "(" not in head and "=" not in head:
                start = at + 1
            else:
                at = _matching_brace(code, at)
        elif char in ";}":
            start = at + 1
        at += 1


def _is_function(head):
    before, paren, _ = head.partition("(")
    if not paren or ("=" in before and "operator" not in before):
        return False
    if head.count("(") != head.count(")"):  # a default argument, `= {}`
        return False
    # `X::X() : a_{1} {`: the first brace belongs to a_.
    return not _INITIALIZERS.search(head) or head[-1] in ")}"


def _name(head):
    before, _, rest = head.partition("(")
    name = re.search(r"(~?\w+|operator\s*\S+)\s*$", before)
    name = name.group(1) if name else before.strip()[-30:]
    if name in ("TEST", "TEST_F", "TEST_P"):
        return re.sub(r"\s*,\s*", ".", rest.partition(")")[0])
    return name


def _matching_brace(code, at):
    depth = 0
    for brace in re.compile(r"[{}]").finditer(code, at):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.start()
    return len(code) - 1
