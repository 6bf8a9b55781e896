"""Who does what in the story: which jobs fail, which workers are killed, how long each job takes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Self

KILLED_WORKERS = 7
"""As many as the batch this product began with lost: it stuck at 1030/1037."""
FAILED_JOBS = 12
"""About 1 %, so that the tallies have something to tell: a batch completes with failures, too."""
WORKER_PROCESSES = 2
"""They share the workers that live; more would only compete for the cores of a small machine."""
_ERRORS = (
    *(("TimeoutError", "the registry did not answer within 30 s"),) * 3,
    *(("ValidationError", "the record has no e-mail address"),) * 2,
    ("IntegrityError", "the record exists twice"),
)
"""Three kinds, of unlike frequency: 6, 4 and 2 of the 12."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job and what will become of it and of its worker."""

    job_id: str
    work_seconds: float
    error_type: str = ""
    """Empty: the job succeeds."""
    error_message: str = ""
    worker_is_killed: bool = False
    """After the job has ended in the queue, before the result was reported."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one worker process is given, on its standard input: jobs that it works on all at once."""

    target: str
    """host:port of ProgressService."""
    batch_id: str
    queue_file: str
    jobs: tuple[Job, ...]

    def to_json(self) -> bytes:
        """Return it as it travels."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "jobs": tuple(Job(**job) for job in fields["jobs"])})


@dataclass(frozen=True, slots=True)
class Plan:
    """The batch of the story."""

    batch_id: str
    jobs: tuple[Job, ...]

    @property
    def reported(self) -> int:
        """How many jobs have a worker that lives to report."""
        return len(self.jobs) - KILLED_WORKERS

    def assignments(self, target: str, queue_file: Path) -> list[Assignment]:
        """Share the jobs out: a process of its own for each worker that is killed, a few for all others."""
        killed = [[job] for job in self.jobs if job.worker_is_killed]
        living = [job for job in self.jobs if not job.worker_is_killed]
        shares = [living[first::WORKER_PROCESSES] for first in range(WORKER_PROCESSES)]
        return [
            Assignment(target, self.batch_id, str(queue_file), tuple(jobs)) for jobs in (*killed, *shares)
        ]


def plan_batch(jobs: int, seconds: float) -> Plan:
    """Plan a batch whose jobs, all begun at once, end evenly over so many seconds."""
    numbers = range(1, jobs + 1)
    killed = _evenly(KILLED_WORKERS, numbers)
    living = [number for number in numbers if number not in killed]
    errors = dict(zip(_evenly(FAILED_JOBS, living), cycle(_ERRORS), strict=False))
    return Plan(
        "registry-sync",
        tuple(
            Job(f"record-{n:05}", seconds * n / jobs, *errors.get(n, ("", "")), worker_is_killed=n in killed)
            for n in numbers
        ),
    )


def _evenly(count: int, numbers: Sequence[int]) -> list[int]:
    """Take so many of the numbers, evenly spread, none at the very beginning or end."""
    return [numbers[(2 * index + 1) * len(numbers) // (2 * count)] for index in range(count)]
