"""Measures one window of reports at a fixed rate: recorded, refused, and their latency."""

import asyncio
import time
from dataclasses import asdict, dataclass
from itertools import count

from bench.load.open_loop import OpenOutcome, OpenPlan
from bench.load.operating_system import cpu_seconds
from bench.load.timed import Window, timed_process
from bench.load.workload import Pace
from bench.measure.contestants import CONNECTIONS_MAX, OurServer
from bench.measure.measure import LEAD_SECONDS, percentile

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
    plan = _plan(ours, batch_id, rate / results_per_call, results_per_call, pace)
    seconds = pace.measure_seconds
    async with timed_process("bench.load.open_loop") as load:
        await load.prepare(asdict(plan))
        window = Window(time.monotonic() + LEAD_SECONDS, pace.warm_up_seconds, seconds)
        load.let_go(window)
        before = await _cpu_at(window.begin, ours, load.pid)
        after = await _cpu_at(window.end, ours, load.pid)
        outcome = await load.outcome(OpenOutcome)
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
        server_us_per_result=(after[0] - before[0]) / outcome.results * 1e6,
        late_ms=outcome.late_ms,
        generator_share=(after[1] - before[1]) / seconds,
    )


def _plan(
    ours: OurServer, batch_id: str, calls_per_second: float, results_per_call: int, pace: Pace
) -> OpenPlan:
    return OpenPlan(
        targets=list(ours.targets),
        batch_ids=[batch_id],
        name="offered",
        calls=max(1, round(calls_per_second * (pace.warm_up_seconds + pace.measure_seconds))),
        calls_per_second=calls_per_second,
        connections=CONNECTIONS_MAX,
        results_per_call=results_per_call,
    )


async def _cpu_at(moment: float, ours: OurServer, generator: int) -> tuple[float, float]:
    await asyncio.sleep(moment - time.monotonic())
    return cpu_seconds(ours.server_pids), cpu_seconds([generator])
