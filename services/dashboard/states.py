"""The state and history of a watched batch, as the hub keeps them. Pure."""

from dataclasses import dataclass

POINTS_MAX = 512
"""The points of a history: more than the pixels of a plot can show; 20 KB as JSON."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A batch at one revision. Times are seconds since 1970 by the database's clock."""

    revision: int
    has_ended: bool
    created_at: float
    newest_result_at: float
    """The time of creation while there is no result."""
    ended_jobs: int
    failed_jobs: int
    json: str
    """The batch as JSON, encoded once for all viewers."""


@dataclass(frozen=True, slots=True)
class Point:
    """The progress of a batch at the time of one result."""

    at: float
    """Seconds since 1970 by the database's clock."""
    ended_jobs: int
    failed_jobs: int

    def to_json(self) -> list[float]:
        """Return the point as JSON for the page."""
        return [self.at, self.ended_jobs, self.failed_jobs]


class History:
    """The points of a batch while it was watched, thinned out evenly as they grow too many."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._apart_seconds = 0.0
        self._newest: Point | None = None

    def add(self, state: Snapshot) -> None:
        """Add the point of a state, unless it is too close to the previous one."""
        point = self._newest = Point(state.newest_result_at, state.ended_jobs, state.failed_jobs)
        if not self._points or point.at - self._points[-1].at >= self._apart_seconds:
            self._points.append(point)
            if len(self._points) > POINTS_MAX:
                self._thin_out()

    def points(self) -> list[Point]:
        """Return the points in order of time, including the newest."""
        newest = [self._newest] if self._newest and self._newest not in self._points[-1:] else []
        return [*self._points, *newest]

    def _thin_out(self) -> None:
        """Keep every second point, and double the distance of later ones."""
        seconds = self._points[-1].at - self._points[0].at
        self._apart_seconds = 2 * seconds / POINTS_MAX
        self._points = self._points[::2]
