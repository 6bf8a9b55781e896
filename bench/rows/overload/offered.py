"""Measures one window of reports at a fixed rate: recorded, refused, and their latency."""

from dataclasses import dataclass
from itertools import count

from bench.load.workload import Pace
from bench.measure.contestants import CONNECTIONS_MAX, OurServer
from bench.measure.measure import percentile, run_window

_batch_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Offered:
    """The figures of one window; rates are results per second."""

    offered: float
    goodput: float
    """Results that were recorded and answered."""
    refused: float
    p50_ms: float
    """From when a call was due; refused calls are not included."""
    p99_ms: float
    server_us_per_result: float
    """CPU time of the server per recorded result, refusals included."""
    late_ms: float
    """The longest delay with which the generator sent a call that was due."""
    generator_share: float
    """The share of a core that the load generator used."""

    def __str__(self) -> str:
        """Return the figures in one line, printed while the benchmark runs."""
        return (
            f"{self.offered:9,.0f} offered/s {self.goodput:9,.0f} recorded/s {self.refused:9,.0f} refused/s"
            f"  p99 {self.p99_ms:7,.0f} ms  sent late {self.late_ms:5,.0f} ms"
            f"  load generator {self.generator_share:4.0%} of a core"
        )


async def measure_offered(ours: OurServer, rate: float, results_per_call: int, pace: Pace) -> Offered:
    """Measure one window.

    Raises:
        Inexact: the recorded results differ from the answered ones.

    """
    batch_id = f"offered-{next(_batch_numbers)}"
    await ours.prepare([batch_id])
    calls_per_second, seconds = rate / results_per_call, pace.measure_seconds
    calls = max(1, round(calls_per_second * (pace.warm_up_seconds + seconds)))
    driver = ours.open_driver(batch_id, results_per_call, calls_per_second, calls, CONNECTIONS_MAX)
    ran = await run_window(ours, [driver], pace)
    (outcome,) = ran.outcomes
    await ours.verify([outcome])
    if not outcome.results:
        raise RuntimeError(f"nothing was recorded within {seconds:g} s")
    latencies = sorted(outcome.latencies_ms)
    return Offered(
        offered=rate,
        goodput=outcome.results / seconds,
        refused=outcome.refused * results_per_call / seconds,
        p50_ms=percentile(latencies, 50),
        p99_ms=percentile(latencies, 99),
        server_us_per_result=ran.server_seconds / outcome.results * 1e6,
        late_ms=outcome.late_ms,
        generator_share=ran.load_seconds[0] / seconds,
    )
