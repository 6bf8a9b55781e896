"""One change of behaviour, as the lists in this folder name it."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

LISTS = Path(__file__).parent


class StaleMutant(Exception):
    """A file or the text to replace is not there, or the text is there more than once."""


@dataclass(frozen=True, slots=True)
class Change:
    """A text of a file and its replacement."""

    file: str
    """The path of the file, relative to the checkout."""
    old: str
    new: str

    def __str__(self) -> str:
        """Return the change in one line."""
        return f"{self.file}: {' '.join(self.old.split())} → {' '.join(self.new.split()) or '(nothing)'}"

    def applied_to(self, source: str) -> str:
        """Return the source with the change made.

        Raises:
            StaleMutant: the old text is not exactly once in the source.

        """
        if source.count(self.old) != 1:
            raise StaleMutant(
                f"the old text is {source.count(self.old)} times in {self.file} instead of once"
            )
        return source.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One or more changes that break a rule, and the tests that prove the rule."""

    changes: tuple[Change, ...]
    tests: tuple[str, ...]
    """pytest node ids; at least one of the tests must fail."""

    def __str__(self) -> str:
        """Return the first change in one line."""
        return str(self.changes[0])

    @classmethod
    def from_entry(cls, *, test: str, changes: list[dict[str, str]] | None = None, **change: Any) -> Self:
        """Read an entry of a list, which has either one change or several in `changes`."""
        return cls(tuple(Change(**one) for one in changes or [change]), tuple(test.split()))


def listed(names: list[str]) -> Iterator[Mutant]:
    """Yield the mutants of the named lists (`rpc` is rpc.toml), or of all lists if none is named."""
    for path in sorted(LISTS.glob("*.toml")):
        if not names or path.stem in names:
            for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []):
                yield Mutant.from_entry(**entry)
