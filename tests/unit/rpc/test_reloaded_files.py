"""What is made of files that are replaced while they are in use."""

from pathlib import Path

import pytest

from rpc.callers.reloaded_files import ReloadedFiles, read


class Pair:
    """Two files that belong together, and what is made of them."""

    def __init__(self, folder: Path) -> None:
        """Write both for the first time."""
        self.paths = folder / "one", folder / "two"
        self.replaced_meanwhile = ""
        self.write("old")
        self.made = ReloadedFiles(self.paths, self.make)

    def write(self, text: str) -> None:
        """Replace both."""
        for path in self.paths:
            path.write_text(text, encoding="ascii")

    def make(self) -> str:
        """Read one, be overtaken by whoever replaces both, read the other."""
        one = read(self.paths[0]).decode()
        if self.replaced_meanwhile:
            self.write(self.replaced_meanwhile)
            self.replaced_meanwhile = ""
        two = read(self.paths[1]).decode()
        if "broken" in {one, two}:
            raise ValueError("broken")
        return f"{one} {two}"


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Return two files."""
    return Pair(tmp_path)


def test_what_was_half_replaced_is_not_taken(pair: Pair) -> None:
    """Files that change while they are read are left to the next look, which finds them whole."""
    pair.write("newer")
    pair.replaced_meanwhile = "newest"
    assert not pair.made.refresh()
    assert (pair.made.current, pair.made.is_stale) == ("old old", False)
    assert pair.made.refresh()
    assert pair.made.current == "newest newest"
    assert not pair.made.refresh()


def test_what_cannot_be_used_is_tried_again(pair: Pair) -> None:
    """It is told as stale until it can be used, and the old one holds meanwhile; a file that is gone too."""
    pair.write("broken")
    for _ in range(2):
        assert not pair.made.refresh()
        assert (pair.made.current, pair.made.is_stale) == ("old old", True)
    pair.paths[0].unlink()
    assert not pair.made.refresh()
    assert pair.made.is_stale
    pair.write("new")
    assert pair.made.refresh()
    assert (pair.made.current, pair.made.is_stale) == ("new new", False)
