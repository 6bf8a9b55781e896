"""What is sent, and for how long."""

import os
from dataclasses import dataclass

CORES_PER_LOAD_PROCESS = 2
"""A load process in Python takes about as much of a core as the server that it keeps busy."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What workers send."""

    workers: int
    results_per_call: int = 1
    batches: int = 1
    copies: int = 1
    """2: every result twice."""
    prepared_calls: int = 0
    """Requests made before the start by each load process: where making them is dear."""

    def workers_by_process(self) -> list[int]:
        """Share the workers between as many load processes as suit the machine."""
        processes = max(1, (os.cpu_count() or 1) // CORES_PER_LOAD_PROCESS)
        share, rest = divmod(self.workers, processes)
        return [workers for number in range(processes) if (workers := share + (number < rest))]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long each contestant is measured."""

    rounds: int
    warm_up_seconds: float
    measure_seconds: float


UNARY = Workload(workers=1_037)
"""The story's workers, each with one job at a time, all of one batch."""
MANY = Workload(workers=16, results_per_call=500, prepared_calls=1_500)
"""500 results a call; 16 callers, so that a group of ours (2,000 results) is there whenever one is done."""
FULL = Pace(rounds=3, warm_up_seconds=1.0, measure_seconds=2.5)
"""All rows in some six minutes; medians of three show a round that was disturbed."""
QUICK = Pace(rounds=1, warm_up_seconds=0.2, measure_seconds=0.4)
"""Shows that everything works, in under a minute; its numbers mean little."""
