"""A folder includes only folders with a smaller number (ARCHITECTURE.md has the list)."""
import re

from tree import Violation, line_of

NUMBER = {
    "base": 0, "stats": 0,
    "runtime": 1, "protocol": 1, "balance": 1, "health": 1, "config": 1,
    "net": 2,
    "discovery": 3,
    "backend": 4,
    "proxy": 5, "dns": 5, "xdp": 5,
    "filter": 6,
    "admin": 7, "ha": 7,
    "app": 8,
    "cli": 9,
}
# Equals that may be included all the same: (includer, included).
EQUALS = {("stats", "base"), ("balance", "config")}
# Below one folder: a subfolder includes itself, the folder above it and these.
SUBFOLDERS = {"protocol": {"http"}}

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def check_layers(tree):
    for source in tree.sources:
        if source.top not in NUMBER:
            yield Violation(source.path, 1, f"folder '{source.top}' is none of the house "
                            "(give it a number in ARCHITECTURE.md and tools/style/layers.py)")
            continue
        for match in _INCLUDE.finditer(source.code):
            problem = _problem(source.path, match.group(1))
            if problem:
                yield Violation(source.path, line_of(source.code, match.start()), problem)


def _problem(path, included):
    own, other = path.split("/")[1:-1], included.split("/")[:-1]
    if not other or other[0] not in NUMBER:
        return f'"{included}" is not a path below src/ (write it in full, or use <> for a library)'
    if own[0] != other[0]:
        if NUMBER[other[0]] < NUMBER[own[0]] or (own[0], other[0]) in EQUALS:
            return None
        return (f"{own[0]} ({NUMBER[own[0]]}) includes {other[0]} ({NUMBER[other[0]]}) "
                "(only folders with a smaller number; move the code or turn the dependency round)")
    if other == own[:len(other)] or other[1] in SUBFOLDERS.get(own[0], ()) and len(own) > 1 and own[1] != "http":
        return None
    return (f"{'/'.join(own)} includes {'/'.join(other)} "
            "(a subfolder may include the folder above it, not the reverse, nor its neighbours)")
