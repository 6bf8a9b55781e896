"""The page about other languages shows the examples as they are."""

from pathlib import Path

import pytest

from tests.support.progress import ROOT

WORKERS = sorted((ROOT / "examples").glob("*/worker.*"))


@pytest.mark.parametrize("worker", WORKERS, ids=lambda path: path.name)
def test_the_page_shows_the_example(worker: Path) -> None:
    """The page contains each worker word for word."""
    page = (ROOT / "docs/other-languages.md").read_text()
    assert f"{worker.read_text().rstrip()}\n```" in page


def test_there_are_examples() -> None:
    """The rule above is about something."""
    assert [path.suffix for path in WORKERS] == [".go", ".js", ".php"]
