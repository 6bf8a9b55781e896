"""The plan of the story: which jobs fail, which workers are killed, how long each job takes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Self

KILLED_WORKERS = 7
"""The number in the batch that led to this product, which got stuck at 1030/1037."""
FAILED_JOBS = 12
"""About 1 %, to show that a batch completes with failures, too."""
WORKER_PROCESSES = 2
"""Processes of the workers that are not killed; more would only compete for the cores of a small machine."""
_ERRORS = (
    *(("TimeoutError", "the registry did not answer within 30 s"),) * 3,
    *(("ValidationError", "the record has no e-mail address"),) * 2,
    ("IntegrityError", "the record exists twice"),
)
"""Three kinds with different frequencies: 6, 4 and 2 of the 12."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job, and what will happen to it and to its worker."""

    job_id: str
    work_seconds: float
    error_type: str = ""
    """Empty if the job succeeds."""
    error_message: str = ""
    worker_is_killed: bool = False
    """Whether it is killed after the job has ended in the queue and before the report."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The jobs of one worker process, which it reads from stdin and runs at the same time."""

    target: str
    """The address of ProgressService, host:port."""
    batch_id: str
    queue_file: str
    jobs: tuple[Job, ...]

    def to_json(self) -> bytes:
        """Return the assignment as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read an assignment from the JSON of `to_json`."""
        fields = json.loads(text)
        return cls(**{**fields, "jobs": tuple(Job(**job) for job in fields["jobs"])})


@dataclass(frozen=True, slots=True)
class Plan:
    """The batch of the story."""

    batch_id: str
    jobs: tuple[Job, ...]

    @property
    def reported(self) -> int:
        """The number of jobs whose worker lives to report."""
        return len(self.jobs) - KILLED_WORKERS

    def assignments(self, target: str, queue_file: Path) -> list[Assignment]:
        """Distribute the jobs: one process for each worker that is killed, a few for all others."""
        killed = [[job] for job in self.jobs if job.worker_is_killed]
        living = [job for job in self.jobs if not job.worker_is_killed]
        shares = [living[first::WORKER_PROCESSES] for first in range(WORKER_PROCESSES)]
        return [
            Assignment(target, self.batch_id, str(queue_file), tuple(jobs)) for jobs in (*killed, *shares)
        ]


def plan_batch(jobs: int, seconds: float) -> Plan:
    """Plan a batch whose jobs start at the same time and end at even intervals over these seconds."""
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
    """Choose `count` of the numbers, evenly spread, none at the very beginning or end."""
    return [numbers[(2 * index + 1) * len(numbers) // (2 * count)] for index in range(count)]
