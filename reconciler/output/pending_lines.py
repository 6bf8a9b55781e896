"""Prints pending jobs as they are read: a line for each, of text or of JSON."""

import json
import sys
from collections.abc import Iterable

from reconciler.queue.port import QueueJob


def write_jobs(jobs: Iterable[QueueJob], *, as_json: bool) -> None:
    """Print a page of jobs.

    Raises:
        BrokenPipeError: The reader has stopped reading.

    """
    for job in jobs:
        sys.stdout.write((_json_of(job) if as_json else _text_of(job)) + "\n")
    sys.stdout.flush()  # so that a pipe's reader sees the page now


def _json_of(job: QueueJob) -> str:
    return json.dumps(
        {
            "job_id": job.job_id,
            "display_name": job.display_name,
            "attempt": job.attempt,
            "problem": job.problem,
        }
    )


def _text_of(job: QueueJob) -> str:
    parts = (job.job_id, f"attempt {job.attempt:,}", job.display_name, job.problem)
    return "  ".join(_on_one_line(part) for part in parts if part)


def _on_one_line(text: str) -> str:
    """Return foreign text without line breaks and control characters, which would steer a terminal."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
