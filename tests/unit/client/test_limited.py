"""The first items of a list."""

import pytest

from batchprogress.cli.limited import first


@pytest.mark.parametrize(("items", "says"), [(2, ""), (3, "batchprogress: there are more than 2")])
def test_a_list_ends_at_the_limit(items: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error says whether there is more."""
    assert list(first(range(items), 2)) == [0, 1]
    said = capsys.readouterr().err
    assert said.startswith(says)
    assert bool(said) == bool(says)
