"""Each row of the table by its check; and the table itself."""
import re
import subprocess
import sys
from pathlib import Path

import pytest

from row import MAY, MUST, ROLES, SHOULD
from table import ROWS

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/reference/conformance.md"


def as_parameter(row):
    # Strict: a rule that is kept at last must not stay marked as one that is not.
    marks = [pytest.mark.xfail(reason=row.todo, strict=True, raises=(AssertionError, OSError))] if row.todo else []
    return pytest.param(row, id=row.id, marks=marks)


@pytest.mark.parametrize("row", [as_parameter(row) for row in ROWS])
def test_row(bench, row):
    row.check(bench)


def test_every_row_is_well_formed():
    for row in ROWS:
        assert re.fullmatch(r"911[02]-[1-9]\d*(\.\d+)*-[a-z0-9]+(-[a-z0-9]+)*", row.id), row.id
        assert row.level in (MUST, SHOULD, MAY), row.id
        assert row.role in ROLES, row.id
        assert not row.requirement[0].islower(), row.id
        assert not row.requirement.endswith("."), row.id
        assert not (row.todo and row.deviates), row.id


def test_no_id_stands_twice():
    ids = [row.id for row in ROWS]
    assert sorted(ids) == sorted(set(ids))


def test_rows_are_in_the_order_of_the_rfcs():
    def place(row):
        return row.rfc, [int(number) for number in row.section.split(".")]
    assert [place(row) for row in ROWS] == sorted(place(row) for row in ROWS)


def test_the_page_is_current():
    made = subprocess.run([sys.executable, HERE / "page.py"], capture_output=True, text=True, check=True).stdout
    assert PAGE.read_text(encoding="utf-8") == made, f"run: python3 tests/conformance/page.py > {PAGE}"
