"""One change of behaviour, as the lists beside this file name it."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent


class StaleMutant(Exception):
    """The text to replace is not exactly once in its file."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change that breaks a rule, and the test that proves the rule."""

    file: str
    """The changed file, relative to the checkout."""
    old: str
    new: str
    test: str
    """One or more pytest node ids, separated by spaces; at least one of the tests must fail."""

    @property
    def title(self) -> str:
        """Return the change in one line."""
        return f"{self.file}: {' '.join(self.old.split())} → {' '.join(self.new.split()) or '(nothing)'}"

    def applied_to(self, source: str) -> str:
        """Return the source with the change made.

        Raises:
            StaleMutant: the old text is missing or is there more than once.

        """
        if source.count(self.old) != 1:
            raise StaleMutant(f"the old text is in the file {source.count(self.old)} times instead of once")
        return source.replace(self.old, self.new)


def listed(names: list[str]) -> Iterator[Mutant]:
    """Yield the mutants of the named lists (`batches` is batches.toml), or of all lists if none is named."""
    for path in sorted(LISTS.glob("*.toml")):
        if not names or path.stem in names:
            for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []):
                yield Mutant(**entry)
