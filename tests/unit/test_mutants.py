"""The lists of mutants match the code, so that `make mutants` can make every change."""

import pytest

from tests.mutants.mutant import LISTS, listed
from tests.mutants.tree import CHECKOUT


@pytest.mark.parametrize("name", sorted(path.stem for path in LISTS.glob("*.toml")))
def test_every_listed_change_can_be_made(name: str) -> None:
    """Each text to replace is in its file exactly once, and the files of the tests exist."""
    for mutant in listed([name]):
        sources = {change.file: (CHECKOUT / change.file).read_text() for change in mutant.changes}
        for change in mutant.changes:
            sources[change.file] = change.applied_to(sources[change.file])
        assert all((CHECKOUT / test.partition("::")[0]).is_file() for test in mutant.tests)
