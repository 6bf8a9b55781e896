"""What scenarios promise: a bar that is missed fails its scenario after its figures are noted."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.cluster.load import Load
from tests.faults.conftest import FULL

AGAIN_SECONDS_MAX = 10.0
"""How long after the cluster is whole again every server acknowledges."""
PLANNED_SECONDS_MAX = 5.0
"""How long a planned switch-over may leave reports without an acknowledgement."""
WAIT_SECONDS_MAX = 10.0
"""How long a server may acknowledge nothing where no node fails."""
UNAVAILABLE_SHARE_MAX = 0.01
"""Calls that are answered UNAVAILABLE because of a planned switch-over."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise, and what was measured."""

    what: str
    value: float
    limit: float
    is_minimum: bool = False
    is_time: bool = False

    @property
    def is_held(self) -> bool:
        """Whether the value is at most the limit, or at least; the quick size judges no time."""
        if self.is_time and not FULL:
            return True
        return self.value >= self.limit if self.is_minimum else self.value <= self.limit

    def __str__(self) -> str:
        """Return what was measured, and what was promised."""
        return f"{self.what}: {self.value:.3g}, not {self.limit:.3g}"


def always(load: Load) -> Iterator[Bar]:
    """Yield what every scenario promises."""
    yield Bar("seconds until all acknowledge again", again_after(load), AGAIN_SECONDS_MAX, is_time=True)


def planned(load: Load) -> Iterator[Bar]:
    """Yield what a planned switch-over promises."""
    yield Bar("seconds without an acknowledgement", load.total.longest, PLANNED_SECONDS_MAX, is_time=True)
    yield Bar("share of UNAVAILABLE", load.total.unavailable / load.total.calls, UNAVAILABLE_SHARE_MAX)


def undisturbed(load: Load) -> Iterator[Bar]:
    """Yield what holds while no node fails."""
    longest = max(server.answers.longest for server in load.servers)
    yield Bar("seconds without an acknowledgement of a server", longest, WAIT_SECONDS_MAX, is_time=True)
    yield none_unavailable(load)


def none_unavailable(load: Load) -> Bar:
    """Return that no call is answered UNAVAILABLE."""
    return Bar("UNAVAILABLE", load.total.unavailable, 0)


def again_after(load: Load) -> float:
    """Return how many seconds it took at most until every server acknowledged again."""
    return max(load.again_seconds, default=0.0)
