"""Compares ratios that were measured again with those of the newest whole run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.report.history import Compared, PastRun

WORSE_FACTOR = 4 / 3
"""Rounds of one run differ by a fifth on a shared machine; a regression that matters is larger than both."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A comparison beside that of the newest whole run."""

    now: Compared
    before: Compared

    @property
    def is_worse(self) -> bool:
        """Whether it is worse by more than a third."""
        return self.now.is_worse_than(self.before, WORSE_FACTOR)

    def __str__(self) -> str:
        """Return the line that is printed."""
        verdict = "WORSE" if self.is_worse else "as good"
        return (
            f"{verdict}: {self.now.row}: {self.now.what}: {self.now.ratio:.2f} × {self.now.peer},"
            f" {self.before.ratio:.2f} × in the newest whole run"
        )


def check(
    measured: Sequence[Compared], newest: PastRun, stable: Mapping[str, Sequence[str]]
) -> Iterator[Checked]:
    """Yield the stable comparisons, each with that of the newest whole run, if that has it.

    Args:
        measured: what was measured now.
        newest: the newest whole run.
        stable: what to compare, by the name of its row.

    """
    before = newest.by_key()
    for now in measured:
        if now.what in stable.get(now.row.partition(":")[0], ()) and now.key in before:
            yield Checked(now, before[now.key])
