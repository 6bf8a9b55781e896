"""python -m bench.rows.report_cost.job TARGET BATCH_ID CALLS: what a report costs the thread of the job.

Prints the microseconds of each call, of an empty function and of Reporter.succeeded in turns, as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from batchprogress import Reporter

PAUSE_SECONDS = 0.001
"""The job's own work: a thousand reports a second from one process, and its sender has something to do."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Of each call, in microseconds."""

    empty: list[float]
    report: list[float]


def empty(job_id: str) -> None:
    """Do nothing."""


def main() -> None:
    """Report job after job, and print what that took."""
    target, batch_id, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
    costs = Costs([], [])
    with Reporter(target, batch_id, strict=True) as reporter:
        for number in range(calls):
            job_id = f"job-{number}"
            costs.empty.append(_took_us(empty, job_id))
            costs.report.append(_took_us(reporter.succeeded, job_id))
            time.sleep(PAUSE_SECONDS)
    sys.stdout.write(json.dumps(asdict(costs)))


def _took_us(call: Callable[[str], None], job_id: str) -> float:
    began = time.perf_counter_ns()
    call(job_id)
    return (time.perf_counter_ns() - began) / 1_000


if __name__ == "__main__":
    main()
