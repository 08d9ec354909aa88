#!/usr/bin/env python3
"""Style is a test: prints every violation as PATH:LINE: what is wrong (what to do), and exits 1 if there is any.

Exceptions stand in exceptions.txt, one a line: CHECK PATH SUBJECT REASON. An exception that nothing needs is a
violation too.
"""
import sys
from pathlib import Path

import docs
import headers
import layers
import lengths
import words
from tree import Tree, Violation, numbered_lines

EXCEPTIONS = "tools/style/exceptions.txt"

CHECKS = {
    "layers": layers.check_layers,
    "header-includes": headers.check_header_includes,
    "header-self-contained": headers.check_header_self_contained,
    "file-length": lengths.check_file_length,
    "function-length": lengths.check_function_length,
    "line-length": lengths.check_line_length,
    "banned-words": words.check_banned_words,
    "unfinished": words.check_unfinished,
    "folder-names": words.check_folder_names,
    "commented-out-code": words.check_commented_out_code,
    "bool-parameters": words.check_bool_parameters,
    "sleep-in-tests": words.check_sleep_in_tests,
    "symbols-exist": docs.check_symbols_exist,
    "links": docs.check_links,
    "generated-pages": docs.check_generated_pages,
    "examples-mentioned": docs.check_examples_mentioned,
    "entries": docs.check_entries,
}


def run_checks(tree):
    """Violations of each check, without those that are excepted; the list of exceptions is checked last."""
    excepted, results = _read_exceptions(tree), {}
    unused = dict(excepted)
    for name, check in CHECKS.items():
        results[name] = []
        for violation in check(tree):
            key = (name, violation.path, violation.subject)
            if key in excepted:
                unused.pop(key, None)
            else:
                results[name].append(violation)
    results["exceptions"] = [Violation(EXCEPTIONS, line, f"nothing needs the exception {' '.join(key)} (remove it)")
                             for key, line in unused.items()]
    return results


def _read_exceptions(tree):
    excepted = {}
    for number, line in numbered_lines(tree.text(EXCEPTIONS)):
        if line and not line.startswith("#"):
            fields = line.split(maxsplit=3)
            if len(fields) < 4:
                raise SystemExit(f"{EXCEPTIONS}:{number}: an exception is CHECK PATH SUBJECT REASON")
            excepted[tuple(fields[:3])] = number
    return excepted


def main():
    results = run_checks(Tree(Path(__file__).resolve().parents[2]))
    for name, violations in results.items():
        for v in violations:
            print(f"{v.path}:{v.line}: {v.message} [{name}]")
    failed = sum(1 for violations in results.values() if violations)
    print(f"style: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
