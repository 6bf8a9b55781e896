"""The table of sources in docs/job-status-source.md is tested cell by cell."""

import re

from tests.docs.markdown import ROOT
from tests.integration.job_status.laravel_cells import LaravelCells

PAGE = ROOT / "docs" / "job-status-source.md"
TABLE = re.compile(r"^\| \| Laravel \|.*\n\|[ |-]+\|\n((?:\|.*\n)+)", re.MULTILINE)


def test_each_cell_of_laravel_has_a_test_with_the_name_of_its_row() -> None:
    """A new row needs a new test."""
    (rows,) = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    names = [re.sub(r"\W+", "_", row.split("|")[1].strip(" `").lower()) for row in rows.splitlines()]
    tests = [name for name in vars(LaravelCells) if name.startswith("test_")]
    assert len(names) == len(tests)
    without = [one for one in names if not any(test.startswith(f"test_{one}_") for test in tests)]
    assert without == []
