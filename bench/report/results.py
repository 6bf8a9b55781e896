"""What a row of the benchmark shows: comparisons with their targets, tables and plots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.measure.measure import BUSY_SHARE_MIN, Measurement

Figure = Callable[[Measurement], float]
"""Reads one number from a measurement."""


@dataclass(frozen=True, slots=True)
class Target:
    """The limit that a ratio has to keep."""

    limit: float
    at_least: bool

    def __str__(self) -> str:
        """Return the target as the report shows it, such as ≥ 0.8."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    def is_reached(self, ratio: float) -> bool:
        """Return whether a ratio keeps the limit."""
        return ratio >= self.limit if self.at_least else ratio <= self.limit


def at_least(limit: float) -> Target:
    """Return the target that a ratio is this high or higher."""
    return Target(limit, at_least=True)


def at_most(limit: float) -> Target:
    """Return the target that a ratio is this low or lower."""
    return Target(limit, at_least=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A number of our server compared with the same number of a peer."""

    what: str
    peer: str
    ours: float
    theirs: float
    ratios: list[float]
    """Our number divided by the peer's, for each round."""
    target: Target | None
    note: str = ""

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return median(self.ratios)

    @property
    def reached(self) -> str:
        """Whether the target was reached: yes, no, or empty without a target."""
        return "" if self.target is None else "yes" if self.target.is_reached(self.ratio) else "**no**"


@dataclass(frozen=True, slots=True)
class Table:
    """Further numbers of a row that do not come from a load."""

    header: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Lines over a common x axis."""

    name: str
    """The name of its file, without .svg."""
    title: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]]
    """The points of each line, by the line's name."""
    y_is_logarithmic: bool = False


@dataclass(slots=True)
class Row:
    """One question of the benchmark and its answers."""

    title: str
    measurements: dict[str, list[Measurement]] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)


def results_per_second(one: Measurement) -> float:
    """Return the results recorded per second."""
    return one.results_per_second


def calls_per_second(one: Measurement) -> float:
    """Return the calls answered per second."""
    return one.calls_per_second


def p99_ms(one: Measurement) -> float:
    """Return the 99th percentile of the latency, in milliseconds."""
    return one.p99_ms


def server_us(one: Measurement) -> float:
    """Return the CPU time of the server per result, in microseconds."""
    return one.server_us_per_result


def server_and_store_us(one: Measurement) -> float:
    """Return the CPU time of server and store together per result, in microseconds."""
    return one.server_us_per_result + one.store_us_per_result


def compare_values(  # noqa: PLR0913, PLR0917  # one row of the table
    what: str,
    peer: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    target: Target | None = None,
    note: str = "",
) -> Comparison:
    """Compare round by round, since whatever disturbed a round disturbed both sides."""
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    return Comparison(what, peer, median(ours), median(theirs), ratios, target, note)


def compare(  # noqa: PLR0913, PLR0917  # one row of the table
    what: str,
    figure: Figure,
    ours: Sequence[Measurement],
    theirs: Sequence[Measurement],
    target: Target | None = None,
    note: str = "",
) -> Comparison:
    """Compare one number of the measurements of two contestants, round by round."""
    peer = theirs[0].contestant
    return compare_values(what, peer, [*map(figure, ours)], [*map(figure, theirs)], target, note)


def compare_with_limit(what: str, found: Sequence[float], limit: float, note: str = "") -> Comparison:
    """Compare with a number that must not be exceeded."""
    return compare_values(what, "the limit", found, [limit] * len(found), at_most(1), note)


def compare_speed(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> list[Comparison]:
    """Compare rates, or the CPU time of the servers if the load generator limited a rate."""
    bound = any(median(one.generator_share for one in side) >= BUSY_SHARE_MIN for side in (ours, theirs))
    note = "the load generator is the bottleneck, so server CPU decides" if bound else ""
    return [
        compare("results/s", results_per_second, ours, theirs, None if bound else at_least(1), note),
        compare("server CPU per result, µs", server_us, ours, theirs, at_most(1) if bound else None),
        compare("server + store CPU per result, µs", server_and_store_us, ours, theirs),
    ]
