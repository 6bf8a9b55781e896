"""What is sent, and for how long."""

import os
from dataclasses import dataclass, replace

CORES_PER_LOAD_PROCESS = 2
"""A load process in Python takes about as much of a core as the server that it keeps busy."""

SHORTER_FACTOR = 5
"""How much shorter windows are in a quick run, some more."""


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

    def prepared_for(self, pace: "Pace") -> "Workload":
        """Return it with fewer requests made before the start where windows are short."""
        return self if pace.is_full else replace(self, prepared_calls=self.prepared_calls // SHORTER_FACTOR)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long each contestant is measured."""

    rounds: int
    warm_up_seconds: float
    measure_seconds: float
    is_full: bool = True
    """Whether the sizes are those that the targets are about; else small ones that take no time."""


UNARY = Workload(workers=1_037)
"""The story's workers, each with one job at a time, all of one batch."""
MANY = Workload(workers=16, results_per_call=500, prepared_calls=1_500)
"""500 results a call; 16 callers, so that a group of ours (2,000 results) is there whenever one is done."""
FULL = Pace(rounds=3, warm_up_seconds=1.0, measure_seconds=2.5)
"""All rows in some 20 minutes; medians of three show a round that was disturbed."""
QUICK = Pace(rounds=1, warm_up_seconds=0.3, measure_seconds=0.7, is_full=False)
"""Shows that everything works, in some two minutes; its numbers mean little."""
