"""Measures many watchers of one batch: messages, their cost, and the lag of the final state."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count

from bench.load.operating_system import resident_mib
from bench.load.watchers import WatchOutcome, WatchPlan
from bench.load.workload import Pace
from bench.measure.contestants import CONNECTIONS_MAX, Driver, Server
from bench.measure.measure import percentile, run_window

RESULTS_PER_SECOND = 2_000
RESULTS_PER_CALL = 100
"""20 calls per second: a small part of the server's work, since watches are measured, and as often as changes
are sent."""

_batch_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Watched:
    """The figures of one window."""

    contestant: str
    messages_per_second: float
    server_us_per_message: float
    """CPU time of the server process, reports included."""
    lag_p50_ms: float
    """The time from the answer to the last report until a watcher receives the final state."""
    lag_p99_ms: float
    kib_per_watcher: float
    """The growth of the server's resident memory until the end of the window."""
    message_bytes: int
    watchers_share: float
    """The share of a core that the process of the watchers used."""
    is_behind: bool
    """Whether reports were answered more slowly than they were due."""

    def __str__(self) -> str:
        """Return the figures in one line, printed while the benchmark runs."""
        return (
            f"{self.contestant:28} {self.messages_per_second:9,.0f} messages/s"
            f"  server {self.server_us_per_message:6.1f} µs  lag p99 {self.lag_p99_ms:6,.0f} ms"
            f"  {self.kib_per_watcher:5.1f} KiB per watcher  watchers {self.watchers_share:4.0%} of a core"
        )


async def measure_watches(contestant: Server, watchers: int, pace: Pace) -> Watched:
    """Measure one window, at whose end the batch completes.

    Raises:
        Inexact: the contestant's counts differ from what was sent.

    """
    batch_id = f"watched-{next(_batch_numbers)}"
    calls = calls_of(pace)
    await contestant.create([batch_id], calls * RESULTS_PER_CALL)
    (pid,) = contestant.server_pids
    before_mib = resident_mib(pid)
    plan = WatchPlan(
        target=contestant.targets[0],
        batch_id=batch_id,
        watchers=watchers,
        connections=min(watchers, CONNECTIONS_MAX),
        total_jobs=calls * RESULTS_PER_CALL,
    )
    calls_per_second = RESULTS_PER_SECOND / RESULTS_PER_CALL
    drivers = [
        Driver("bench.load.watchers", asdict(plan), WatchOutcome),
        contestant.open_driver(batch_id, RESULTS_PER_CALL, calls_per_second, calls, connections=1),
    ]
    ran = await run_window(contestant, drivers, pace)
    seen, reported = ran.outcomes
    await contestant.verify([reported])
    if not seen.messages:
        raise RuntimeError(f"{contestant.name} sent no message within {pace.measure_seconds:g} s")
    lags = _lags_ms(seen.finals, reported.last_answer)
    return Watched(
        contestant=contestant.name,
        messages_per_second=seen.messages / pace.measure_seconds,
        server_us_per_message=ran.server_seconds / seen.messages * 1e6,
        lag_p50_ms=percentile(lags, 50),
        lag_p99_ms=percentile(lags, 99),
        kib_per_watcher=(ran.server_mib - before_mib) * 1024 / watchers,
        message_bytes=seen.message_bytes,
        watchers_share=ran.load_seconds[0] / pace.measure_seconds,
        is_behind=reported.last_answer > ran.window.end + pace.measure_seconds / 2,
    )


def calls_of(pace: Pace) -> int:
    """Return the number of calls that report a whole batch in one window."""
    return round((pace.warm_up_seconds + pace.measure_seconds) * RESULTS_PER_SECOND / RESULTS_PER_CALL)


def _lags_ms(finals: Sequence[float], last_answer: float) -> list[float]:
    """Return the lags in ascending order; a watcher may be notified before the reporter is."""
    return sorted(max(0.0, moment - last_answer) * 1_000 for moment in finals)
