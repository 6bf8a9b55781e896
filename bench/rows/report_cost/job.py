"""python -m bench.rows.report_cost.job TARGET BATCH_ID CALLS: time reports in the thread of a job.

Calls an empty function and Reporter.succeeded in turns, and prints the microseconds of each call as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from batchprogress import Reporter

PAUSE_SECONDS = 0.001
"""The work of a job: a process makes a thousand reports per second, which keeps its sender busy."""


@dataclass(slots=True)
class Costs:
    """The duration of each call, in microseconds."""

    empty: list[float]
    report: list[float]
    process_us: float
    """CPU time of the whole process per report: also of the thread that sends, and of the sleep between."""


def empty(job_id: str) -> None:
    """Do nothing."""


def main() -> None:
    """Report jobs, and print the duration of each call."""
    target, batch_id, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
    costs = Costs([], [], 0.0)
    began = time.process_time()
    with Reporter(target, batch_id) as reporter:
        for number in range(calls):
            job_id = f"job-{number}"
            costs.empty.append(_took_us(empty, job_id))
            costs.report.append(_took_us(reporter.succeeded, job_id))
            time.sleep(PAUSE_SECONDS)
    costs.process_us = (time.process_time() - began) / calls * 1e6
    sys.stdout.write(json.dumps(asdict(costs)))


def _took_us(call: Callable[[str], None], job_id: str) -> float:
    began = time.perf_counter_ns()
    call(job_id)
    return (time.perf_counter_ns() - began) / 1_000


if __name__ == "__main__":
    main()
