"""Compares a report in the thread of its job with the call of an empty function."""

import json
from statistics import median

from bench.measure.contestants import OurServer, equal
from bench.measure.measure import percentile
from bench.measure.run import OURS, Run
from bench.measure.run_and_measure import run_and_measure
from bench.report.results import Row, Table, compare_values
from bench.rows.report_cost.job import Costs

CALLS = 5_000
CALLS_QUICK = 500
PEER = "an empty call"


async def measure_row(run: Run) -> list[Row]:
    """Measure the process of a worker, with a new batch in each round."""
    calls = CALLS if run.pace.is_full else CALLS_QUICK
    async with run.ours() as ours:
        rounds = [await _measure(run, ours, f"costs-{number}", calls) for number in range(run.pace.rounds)]
        await ours.check()
    comparisons = [
        compare_values(
            f"µs per call, p{percent}",
            PEER,
            [percentile(sorted(one.report), percent) for one in rounds],
            [percentile(sorted(one.empty), percent) for one in rounds],
        )
        for percent in (50, 99)
    ]
    process_us = f"{median(one.process_us for one in rounds):.0f}"
    table = Table(("", "CPU of the whole process per report, µs"), [(OURS, process_us)])
    title = f"{calls:,} reports of one process, about a thousand per second"
    return [Row(title, comparisons=comparisons, tables=[table])]


async def _measure(run: Run, ours: OurServer, batch_id: str, calls: int) -> Costs:
    await ours.create([batch_id], calls)
    job = await run_and_measure("bench.rows.report_cost.job", ours.targets[0], batch_id, str(calls))
    costs = Costs(**json.loads(job.output))
    equal(OURS, f"jobs of {batch_id}", await ours.count_of(batch_id), calls)
    run.tell(f"a report {median(costs.report):6.1f} µs, {PEER} {median(costs.empty):6.2f} µs")
    return costs
