"""Prints docs/reference/conformance.md: the table, for those who want to know what Weir does."""
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from table import ROWS  # noqa: E402

HEAD = """\
# Conformance

What RFC 9112 (HTTP/1.1) and RFC 9110 (HTTP semantics) ask of an intermediary, and what Weir does. Each row is a test in
`tests/conformance`, and this page is made from them. A row that is not kept yet says what happens instead; the test
fails as soon as the rule is kept and the row still says otherwise.

Weir is a gateway: it stands for its servers. Rules for proxies that clients choose are here where they make sense for a
gateway. Where the RFCs leave a choice between repairing and refusing a message that two readers could understand in two
ways, Weir refuses it. The rules for TLS (RFC 9112, 9.7 and 9.8) are not here: listeners speak no TLS yet.

{held} rules are held, {deviates} are deviated from on purpose, {todo} are not kept yet.
"""


def row_line(row):
    cells = (f"`{row.id}`", f"{row.requirement} ({row.role}, {row.level})", row.state)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page():
    todo = sum(1 for row in ROWS if row.todo)
    deviates = sum(1 for row in ROWS if row.deviates)
    yield HEAD.format(held=len(ROWS) - todo - deviates, deviates=deviates, todo=todo)
    for rfc, rows in itertools.groupby(ROWS, key=lambda row: row.rfc):
        yield f"## RFC {rfc}\n"
        yield "| id | rule | state |\n| --- | --- | --- |"
        yield from map(row_line, rows)
        yield ""


if __name__ == "__main__":
    print("\n".join(page()).rstrip("\n"))
