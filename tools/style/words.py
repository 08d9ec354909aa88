"""Words and constructs that are not used here, each with what to use instead."""
import re
from typing import Callable, NamedTuple

from tree import Violation, line_of, numbered_lines


class Ban(NamedTuple):
    word: str  # as exceptions name it
    pattern: re.Pattern
    instead: str
    applies: Callable = lambda source: True


def _ban(word, pattern, instead, applies=lambda source: True):
    return Ban(word, re.compile(pattern, re.MULTILINE), instead, applies)


def _outside(*folders):
    return lambda source: source.top not in folders


BANS = [
    _ban("std::function", r"\bstd::(?:move_only_)?function\b", "a function pointer, a template in base/, an interface",
         lambda source: not source.is_test),
    _ban("std::regex", r"\bstd::(?:basic_)?regex\b", "RE2, in one .cc"),
    _ban("iostream", r"^[ \t]*#[ \t]*include[ \t]*<iostream>", "stdio, fmt in a .cc, or the log"),
    _ban("using-namespace", r"\busing\s+namespace\s+std\s*;", "qualified names"),
    _ban("new", r"(?<!operator )\bnew\b\s*(?:\(|[A-Za-z_:])", "make_unique, an arena or a slab; new is for base/",
         _outside("base")),
    _ban("delete", r"(?<!operator )(?<!= )(?<!=)\bdelete\b(?!\s*;)", "an owner; delete is for base/", _outside("base")),
    _ban("sleep", r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\s*\(|(?:^|[;{}()=!])[ \t]*(?:::)?sleep\s*\(",
         "a timer of the reactor; in tests the simulated clock, or wait for what should happen"),
    _ban("promise_type", r"\bpromise_type\b", "Task and Scope; promises are for runtime/", _outside("runtime")),
    _ban("simulated", r"\bif\s*\(\s*!?\s*simulated", "the interface that the simulation implements"),
]

_UNFINISHED = re.compile(r"(?://|/\*|^\s*\*).*?\b(TODO|FIXME|XXX)\b(?!\([^)]{10,}\))")
_FOLDERS = {"utils", "util", "common", "impl", "interfaces", "helpers", "misc"}
_CODE_IN_COMMENT = re.compile(
    r"""^\s*//[ ]?(?:                                               # further in, it is an example
          (?:if|for|while|switch)\s*\(.*[;{]                        # if (x) {
        | (?:\}\s*)?else\b.*\{
        | (?:co_)?return\s+[\w:.>-]+(?:\(.*\))?;
        | [\w:]+(?:(?:\.|->)\w+)*\(.*\);                            # f(x);
        | (?:(?:const|auto|static|[\w:<>]+)[\s*&]+){0,3}[\w.:>-]+(?:\[.*\])?\s*[-+|&]?=\s*[^=\s].*;   # int x = 1;
      )\s*$""", re.VERBOSE)
_BOOL_PARAMETER = re.compile(r"\w\s*\((?:[^(){};]*,)?\s*(?:const\s+)?bool\s+(\w+)\s*[,)=]")


def check_banned_words(tree):
    for source in tree.sources:
        for ban in BANS:
            if not ban.applies(source):
                continue
            for match in ban.pattern.finditer(source.code):
                at = match.start() + len(match.group()) - len(match.group().lstrip())
                yield Violation(source.path, line_of(source.code, at), f"'{ban.word}' (use {ban.instead})", ban.word)


def check_unfinished(tree):
    for source in tree.sources:
        for number, line in numbered_lines(source.text):
            match = _UNFINISHED.search(line)
            if match:
                yield Violation(source.path, number, f"{match.group(1)} without a reason "
                                "(finish it, or write TODO(why it can wait))", match.group(1))


def check_folder_names(tree):
    for source in tree.sources:
        for part in source.path.split("/")[1:-1]:
            if part in _FOLDERS:
                yield Violation(source.path, 1, f"folder '{part}' says nothing (name it by what it holds)", part)


def check_commented_out_code(tree):
    for source in tree.sources:
        for number, line in numbered_lines(source.text):
            if _CODE_IN_COMMENT.match(line):
                yield Violation(source.path, number, "commented-out code (delete it; git remembers)")


def check_bool_parameters(tree):
    for source in tree.sources:
        if not source.is_header or source.is_test:
            continue
        for match in _BOOL_PARAMETER.finditer(source.code):
            yield Violation(source.path, line_of(source.code, match.start(1)), f"bool parameter '{match.group(1)}' "
                            "(an enum says at the call what it means: close(Drain::yes))", match.group(1))


_SLEEP_IN_PYTHON = re.compile(r"\b(?:time|asyncio)\.sleep\s*\(|(?:^|[\s(=])sleep\s*\(")


def check_sleep_in_tests(tree):
    for path in tree.files("tests", ".py"):
        for number, line in numbered_lines(tree.text(path)):
            if _SLEEP_IN_PYTHON.search(line.partition("#")[0]):
                yield Violation(path, number, "a test sleeps (wait for what should happen, with the polling helper)", "sleep")
