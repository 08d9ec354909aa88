"""What the documentation says is there."""
import functools
import re
import subprocess

from tree import Violation, line_of, numbered_lines

GENERATED = "tools/style/generated.txt"

_IN_BACKTICKS = re.compile(r"`([^`\n]+)`")
_SYMBOL = re.compile(r"(?:[A-Za-z_]\w*::)+~?[A-Za-z_]\w*(?:\(.*\))?$|[A-Za-z_]\w*\(\)$")
_LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def _prose(text):
    """Without fenced blocks, on the same lines."""
    return _FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def check_symbols_exist(tree):
    words = functools.reduce(set.union, (set(re.findall(r"\w+", s.text)) for s in tree.sources), set())
    for path in tree.pages:
        if path != "ARCHITECTURE.md" and not path.startswith("docs/"):
            continue
        text = _prose(tree.text(path))
        for match in _IN_BACKTICKS.finditer(text):
            symbol = match.group(1)
            if not _SYMBOL.match(symbol) or symbol.startswith("std::"):
                continue
            missing = [w for w in re.findall(r"\w+", symbol.partition("(")[0]) if w not in words]
            if missing:
                yield Violation(path, line_of(text, match.start()), f"`{symbol}`: no '{missing[0]}' in src "
                                "(name what is there now)", symbol)


def check_links(tree):
    for path in tree.pages:
        text = _prose(tree.text(path))
        for match in _LINK.finditer(text):
            target = match.group(1).partition("#")[0]
            if not target or re.match(r"[a-z]+:", target):
                continue
            if not ((tree.root / path).parent / target).exists():
                yield Violation(path, line_of(text, match.start()), f"link to '{target}', which is not there (mend it)")


def check_generated_pages(tree):
    """Each line of generated.txt is 'PATH COMMAND'; the page is what the command prints."""
    for number, line in numbered_lines(tree.text(GENERATED)):
        path, _, command = line.partition(" ")
        if not command or line.startswith("#"):
            continue
        program = command.split()[0]
        if not (tree.root / program).exists():
            print(f"skipped: {path} is not compared ({program} is not built)")
            continue
        result = subprocess.run(command, shell=True, cwd=tree.root, capture_output=True)
        page = tree.root / path
        if result.returncode != 0:
            yield Violation(GENERATED, number, f"'{command}' failed with status {result.returncode} (run it)")
        elif not page.exists() or page.read_bytes() != result.stdout:
            yield Violation(path, 1, f"not what the program says now (run: {command} > {path})")


def check_examples_mentioned(tree):
    pages = "".join(tree.text(path) for path in tree.pages)
    for path in tree.files("examples", ".yaml"):
        if path.rpartition("/")[2] not in pages:
            yield Violation(path, 1, "no page mentions it (link it from README.md or docs/)")


# A row of a list of what can be configured: PickerEntry{"round_robin", make<…>, "docs/…/round_robin.md"}.
_ENTRY = re.compile(r'\b\w+Entry\s*\{\s*"(\w+)"([^{}]*)\}')
_PAGE = re.compile(r'"(docs/[^"]+\.md)"')


def check_entries(tree):
    examples = "".join(tree.text(path) for path in tree.files("examples", ".yaml"))
    tests = {s.path.rpartition("/")[2] for s in tree.sources if s.is_test}
    for source in tree.sources:
        if not source.is_header:
            continue
        for match in _ENTRY.finditer(source.text):
            name, rest = match.groups()
            page = _PAGE.search(rest)
            line = line_of(source.text, match.start())
            if not page:
                yield Violation(source.path, line, f"'{name}' names no page (add \"docs/reference/….md\")", name)
            elif not (tree.root / page.group(1)).exists():
                yield Violation(source.path, line, f"'{name}': no {page.group(1)} (write the page)", name)
            if f"{name}_test.cc" not in tests:
                yield Violation(source.path, line, f"'{name}': no {name}_test.cc (write the test)", name)
            if not re.search(rf"\b{name}\b", examples):
                yield Violation(source.path, line, f"'{name}': in no examples/*.yaml (show it in one)", name)
