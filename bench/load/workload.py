"""What the load generators send, and for how long."""

import os
from dataclasses import dataclass, replace

CORES_PER_LOAD_PROCESS = 2
"""A load process in Python uses about as much of a core as the server that it keeps busy."""

SHORTER_FACTOR = 5
"""Prepared requests are divided by this in a quick run, whose windows are about as much shorter."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The reports that workers send."""

    workers: int
    results_per_call: int = 1
    batches: int = 1
    copies: int = 1
    """How often each result is sent: once or twice."""
    prepared_calls: int = 0
    """Requests that each load process makes before the window starts, if making them is expensive."""

    def workers_by_process(self) -> list[int]:
        """Distribute the workers over as many load processes as the machine has cores for."""
        processes = max(1, (os.cpu_count() or 1) // CORES_PER_LOAD_PROCESS)
        share, rest = divmod(self.workers, processes)
        return [workers for number in range(processes) if (workers := share + (number < rest))]

    def prepared_for(self, pace: "Pace") -> "Workload":
        """Return the workload with fewer prepared requests if the windows are short."""
        return self if pace.is_full else replace(self, prepared_calls=self.prepared_calls // SHORTER_FACTOR)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long each contestant is measured."""

    rounds: int
    warm_up_seconds: float
    measure_seconds: float
    is_full: bool = True
    """Whether sizes are those of the targets, rather than small ones."""


UNARY = Workload(workers=1_037)
"""1,037 workers on one batch, each with one job at a time."""
MANY = Workload(workers=16, results_per_call=500, prepared_calls=1_500)
"""500 results per call; 16 callers always have the next group of our server (2,000 results) ready."""
FULL = Pace(rounds=3, warm_up_seconds=1.0, measure_seconds=2.5)
"""All rows take 20 minutes; with three rounds, the median ignores one that was disturbed."""
CHECK = Pace(rounds=3, warm_up_seconds=0.5, measure_seconds=1.5)
"""Long enough for ratios of CPU time, which hardly depend on other work on the machine."""
QUICK = Pace(rounds=1, warm_up_seconds=0.3, measure_seconds=0.7, is_full=False)
"""Shows in two minutes that everything works; its numbers mean little."""
