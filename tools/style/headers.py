"""Every header compiles alone, and pulls in nothing heavy."""
import hashlib
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from tree import Violation, line_of

COMPILE = ["clang++-19", "-fsyntax-only", "-std=c++23", "-Isrc", "-DWEIR_ASSERTIONS=1",
           "-Wall", "-Wextra", "-Werror"]
CACHE = "build/style-cache"

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>]+>|"[^"]+")', re.MULTILINE)
_HEAVY = re.compile(r"<(iostream|regex)>")
_THIRD_PARTY = re.compile(
    r"<(yaml-cpp|openssl|fmt|rapidjson|nghttp[23]|ngtcp2|gnutls|CLI|re2|brotli|hiredis|bpf|hs|benchmark)/"
    r"|<(liburing|ares|zlib|zstd|maxminddb|pg_query)\.h>")
_FOR_TESTS = re.compile(r"<((gtest|gmock)/|functional>)")


def check_header_includes(tree):
    for source in tree.sources:
        if not source.is_header:
            continue
        for match in _INCLUDE.finditer(source.code):
            included, line = match.group(1), line_of(source.code, match.start())
            if _HEAVY.match(included) or _THIRD_PARTY.match(included) \
                    or (_FOR_TESTS.match(included) and not source.is_test):
                yield Violation(source.path, line, f"a header includes {included} "
                                "(include it in a .cc; a library is wrapped in one)", included)


def check_header_self_contained(tree):
    """One compiler run a header; what passed is remembered by the content of all that it includes."""
    headers = {s.path: s for s in tree.sources if s.is_header}
    cache = tree.root / CACHE
    cache.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for violation in pool.map(lambda path: _compile(tree, headers, cache, path), headers):
            if violation:
                yield violation


def _compile(tree, headers, cache, path):
    mark = cache / _content_key(headers, path)
    if mark.exists():
        return None
    result = subprocess.run([*COMPILE, "-include", path, "-x", "c++", "/dev/null"],
                            cwd=tree.root, capture_output=True, text=True)
    if result.returncode == 0:
        mark.touch()
        return None
    first = next((line for line in result.stderr.splitlines() if "error:" in line), result.stderr.strip())
    return Violation(path, 1, f"does not compile alone: {first} (include what it uses)")


def _content_key(headers, path):
    digest = hashlib.sha256(" ".join(COMPILE).encode())
    seen, todo = set(), [path]
    while todo:
        at = todo.pop()
        if at in seen or at not in headers:
            continue
        seen.add(at)
        digest.update(f"\0{at}\0{headers[at].text}".encode())
        todo += sorted(f"src/{name[1:-1]}" for name in _INCLUDE.findall(headers[at].code) if name[0] == '"')
    return digest.hexdigest()
