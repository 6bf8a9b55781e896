"""Files may be replaced while they are in use."""

import os
from pathlib import Path

import pytest

from process.reloaded_files import ReloadedFiles, read


class Pair:
    """Two files that belong together, and their content."""

    def __init__(self, folder: Path) -> None:
        self.paths = folder / "one", folder / "two"
        self.replaced_meanwhile = ""
        self.write("old")
        self.files = ReloadedFiles(self.paths, self.parse)

    def write(self, text: str) -> None:
        """Overwrite both."""
        for path in self.paths:
            path.write_text(text, encoding="ascii")

    def parse(self) -> str:
        """Read one, replace both if the test wants it, read the other."""
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


def test_half_replaced_files_are_not_used(pair: Pair) -> None:
    """Files that change while they are read are read again by the next refresh."""
    pair.write("newer")
    pair.replaced_meanwhile = "newest"
    assert not pair.files.refresh()
    assert (pair.files.current, pair.files.is_stale) == ("old old", False)
    assert pair.files.refresh()
    assert pair.files.current == "newest newest"
    assert not pair.files.refresh()


def test_broken_files_are_stale_until_they_are_repaired(pair: Pair) -> None:
    """The old content stays in use meanwhile, even if a file was deleted."""
    pair.write("broken")
    for _ in range(2):
        assert not pair.files.refresh()
        assert (pair.files.current, pair.files.is_stale) == ("old old", True)
    pair.paths[0].unlink()
    assert not pair.files.refresh()
    assert pair.files.is_stale
    pair.write("new")
    assert pair.files.refresh()
    assert (pair.files.current, pair.files.is_stale) == ("new new", False)


def test_file_with_the_same_size_and_time_is_noticed(pair: Pair) -> None:
    """A coarse clock or a deployment tool may set the same time stamp."""
    for path in pair.paths:
        before, new_file = path.stat(), path.with_suffix(".new")
        new_file.write_text("new", encoding="ascii")
        os.utime(new_file, ns=(before.st_atime_ns, before.st_mtime_ns))
        new_file.replace(path)
    assert pair.files.refresh()
    assert pair.files.current == "new new"


def test_files_that_are_put_back_are_not_stale(pair: Pair) -> None:
    """Putting the old file back, with its old time stamp, mends a broken replacement."""
    kept = pair.paths[0].with_suffix(".kept")
    pair.paths[0].rename(kept)
    pair.paths[0].write_text("broken", encoding="ascii")
    assert not pair.files.refresh()
    assert pair.files.is_stale
    kept.replace(pair.paths[0])
    assert not pair.files.refresh()
    assert (pair.files.current, pair.files.is_stale) == ("old old", False)
