"""Rows of the benchmark: what was compared, whether the target was reached, and how it is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.measure.measure import BUSY_SHARE_MIN, Measurement

Figure = Callable[[Measurement], float]
"""One number of a measurement."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio must reach."""

    limit: float
    at_least: bool

    def __str__(self) -> str:
        """Return it as a reader writes it."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    def is_reached(self, ratio: float) -> bool:
        """Tell whether a ratio is on the right side."""
        return ratio >= self.limit if self.at_least else ratio <= self.limit


def at_least(limit: float) -> Target:
    """Return a target for what should be high."""
    return Target(limit, at_least=True)


def at_most(limit: float) -> Target:
    """Return a target for what should be low."""
    return Target(limit, at_least=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Our number beside a peer's."""

    what: str
    peer: str
    ours: float
    theirs: float
    ratios: list[float]
    """Of each round, ours to the peer's."""
    target: Target | None
    note: str = ""

    @property
    def ratio(self) -> float:
        """The rounds' median."""
        return median(self.ratios)

    @property
    def reached(self) -> str:
        """Return yes or no; nothing if it is side information."""
        return "" if self.target is None else "yes" if self.target.is_reached(self.ratio) else "**no**"


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers of a row that are no measurements of a load, as side information."""

    header: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Lines over a common axis, drawn beside a row's numbers."""

    name: str
    """Of its file."""
    title: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]]
    """Points by the name of their line."""
    y_is_logarithmic: bool = False


@dataclass(slots=True)
class Row:
    """One question of the benchmark, with its answers."""

    title: str
    measurements: dict[str, list[Measurement]] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)


def results_per_second(one: Measurement) -> float:
    """Return the rate of results."""
    return one.results_per_second


def calls_per_second(one: Measurement) -> float:
    """Return the rate of calls."""
    return one.calls_per_second


def p99_ms(one: Measurement) -> float:
    """Return the latency that 99 of 100 calls do not exceed."""
    return one.p99_ms


def server_us(one: Measurement) -> float:
    """Return the server's CPU time for each result."""
    return one.server_us_per_result


def server_and_store_us(one: Measurement) -> float:
    """Return the CPU time of server and store together for each result."""
    return one.server_us_per_result + one.store_us_per_result


def compare(  # noqa: PLR0913, PLR0917  # a line of the table
    what: str,
    figure: Figure,
    ours: Sequence[Measurement],
    theirs: Sequence[Measurement],
    target: Target | None = None,
    note: str = "",
) -> Comparison:
    """Compare round by round: what disturbed a round disturbed both."""
    return Comparison(
        what=what,
        peer=theirs[0].contestant,
        ours=median(map(figure, ours)),
        theirs=median(map(figure, theirs)),
        ratios=[figure(our) / figure(their) for our, their in zip(ours, theirs, strict=True)],
        target=target,
        note=note,
    )


def beside(  # noqa: PLR0913, PLR0917  # a line of the table
    what: str,
    peer: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    target: Target | None = None,
    note: str = "",
) -> Comparison:
    """Compare numbers that are no measurements of a load, round by round."""
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    return Comparison(what, peer, median(ours), median(theirs), ratios, target, note)


def within(what: str, found: Sequence[float], limit: float, note: str = "") -> Comparison:
    """Compare with a number that must not be exceeded."""
    return beside(what, "the limit", found, [limit] * len(found), at_most(1), note)


def ahead(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> list[Comparison]:
    """Compare who is faster: by rate, or by the server's CPU time where the load limits either rate."""
    bound = any(median(one.generator_share for one in side) >= BUSY_SHARE_MIN for side in (ours, theirs))
    note = "the load generator is the bottleneck: server CPU decides" if bound else ""
    return [
        compare("results/s", results_per_second, ours, theirs, None if bound else at_least(1), note),
        compare("server CPU a result, µs", server_us, ours, theirs, at_most(1) if bound else None),
        compare("server + store CPU a result, µs", server_and_store_us, ours, theirs),
    ]
