"""What the hub keeps of a watched batch: its newest state, and how it came there. Pure."""

from dataclasses import dataclass

POINTS_MAX = 512
"""Of a batch's history: more than a plot has pixels to tell apart, and 20 KB as JSON."""


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch at one revision; times are seconds since 1970 by the database's clock."""

    revision: int
    has_ended: bool
    created_at: float
    newest_result_at: float
    """Of the creation, while there is no result."""
    ended_jobs: int
    failed_jobs: int
    json: str
    """As a page reads it: written once for all who view it."""


@dataclass(frozen=True, slots=True)
class Point:
    """How far a batch was when a result came in."""

    at: float
    """Seconds since 1970 by the database's clock."""
    ended_jobs: int
    failed_jobs: int

    def to_json(self) -> list[float]:
        """Return it as a page reads it."""
        return [self.at, self.ended_jobs, self.failed_jobs]


class History:
    """The points a batch passed while it was watched, evenly thinned out as they grow too many."""

    def __init__(self) -> None:
        """Begin with none."""
        self._points: list[Point] = []
        self._apart_seconds = 0.0
        self._newest: Point | None = None

    def add(self, state: BatchState) -> None:
        """Add where a batch is, unless it is too near to the point before."""
        point = self._newest = Point(state.newest_result_at, state.ended_jobs, state.failed_jobs)
        if not self._points or point.at - self._points[-1].at >= self._apart_seconds:
            self._points.append(point)
            if len(self._points) > POINTS_MAX:
                self._thin_out()

    def points(self) -> list[Point]:
        """Return them in the order of time; the newest is always among them."""
        newest = [self._newest] if self._newest and self._newest not in self._points[-1:] else []
        return [*self._points, *newest]

    def _thin_out(self) -> None:
        """Keep every second one, and from now on as few."""
        seconds = self._points[-1].at - self._points[0].at
        self._apart_seconds = 2 * seconds / POINTS_MAX
        self._points = self._points[::2]
