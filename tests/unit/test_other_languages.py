"""The page about other languages shows the examples as they are."""

from pathlib import Path

import pytest

from tests.support.progress import ROOT

EXAMPLES = sorted(path for name in ("worker", "watch") for path in (ROOT / "examples").glob(f"*/{name}.*"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_page_shows_the_example(example: Path) -> None:
    """The page contains each example word for word."""
    page = (ROOT / "docs/other-languages.md").read_text()
    assert f"{example.read_text().rstrip()}\n```" in page


def test_there_are_examples() -> None:
    """The rule above is about something."""
    assert [path.name for path in EXAMPLES] == ["worker.go", "watch.js", "worker.js", "worker.php"]
