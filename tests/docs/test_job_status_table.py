"""The table of sources in docs/job-status-source.md is tested cell by cell."""

import re

import pytest

from tests.docs.markdown import ROOT
from tests.integration.job_status import (
    test_celery_cells,
    test_job_table_cells,
    test_kubernetes_cells,
    test_rq_cells,
)
from tests.integration.job_status.laravel_cells import LaravelCells

PAGE = ROOT / "docs" / "job-status-source.md"
TABLE = re.compile(r"^\| \| Laravel \|.*\n\|[ |-]+\|\n((?:\|.*\n)+)", re.MULTILINE)
CELLS: dict[str, type] = {
    "Laravel": LaravelCells,
    "job table": test_job_table_cells.TestCells,
    "Celery": test_celery_cells.TestCells,
    "RQ": test_rq_cells.TestCells,
    "Kubernetes Jobs": test_kubernetes_cells.TestCells,
}


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
def test_each_cell_of_a_source_has_a_test_with_the_name_of_its_row(cells: type) -> None:
    """A new row needs a new test."""
    (rows,) = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    names = [re.sub(r"\W+", "_", row.split("|")[1].strip(" `").lower()) for row in rows.splitlines()]
    tests = [name for name in vars(cells) if name.startswith("test_")]
    assert len(names) == len(tests)
    without = [one for one in names if not any(test.startswith(f"test_{one}_") for test in tests)]
    assert without == []


def test_every_column_is_tested() -> None:
    """A new source needs a new class of tests."""
    head = next(
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| | Laravel")
    )
    assert [one.strip() for one in head.split("|")[2:-1]] == list(CELLS)
