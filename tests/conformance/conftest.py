"""The harness of the end-to-end tests, and what a check of the table is given."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from fixtures import ends, pytest_sessionstart, start  # noqa: E402, F401
from checks import Bench  # noqa: E402


@pytest.fixture
def bench(start, ends):  # noqa: F811
    return Bench(start, ends)
