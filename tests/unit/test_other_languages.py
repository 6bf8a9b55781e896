"""The page about other languages shows the example as it is."""

from tests.support.progress import ROOT


def test_the_page_shows_the_worker_in_php() -> None:
    """The page contains it word for word."""
    page = (ROOT / "docs/other-languages.md").read_text()
    worker = (ROOT / "examples/php/worker.php").read_text()
    assert f"{worker.rstrip()}\n```" in page
