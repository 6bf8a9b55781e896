"""Numbers, times and states in words for people. Pure."""

from datetime import datetime
from typing import Final

from batchprogress.bar_line import counts_of, tail_of
from batchprogress.models import Batch

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """Return foreign text in one line without control characters: those would steer a terminal."""
    return "".join(one if one.isprintable() else REPLACEMENT for one in " ".join(text.split()))


def clean_lines(text: str) -> list[str]:
    """Return the lines of a foreign text, indented as they are, without control characters."""
    lines = text.expandtabs(4).splitlines()
    return ["".join(one if one.isprintable() else REPLACEMENT for one in line.rstrip()) for line in lines]


def progress_of(batch: Batch) -> str:
    """Return a batch in one line for logs."""
    return ", ".join(
        [f"{batch.batch_id}: {counts_of(batch)}", f"{batch.percent_complete} %", *details_of(batch)]
    )


def details_of(batch: Batch, silent_seconds: float = 0.0) -> list[str]:
    """Return what follows the counts: failed, skipped, then rate and time left, or the stall, or the end."""
    return list(map(clean, tail_of(batch, silent_seconds)))


def sum_of(batch: Batch) -> str:
    """Return the tallies as the sum that they are."""
    return (
        f"{batch.succeeded_jobs:,} succeeded + {batch.failed_jobs:,} failed + {batch.skipped_jobs:,} skipped"
        f" + {batch.pending_jobs:,} pending = {batch.total_jobs:,} jobs"
    )


def moment(time: datetime | None) -> str:
    """Return a time to the second, in UTC; empty for None."""
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def labels_of(batch: Batch) -> str:
    """Return the labels as they are given on the command line."""
    return " ".join(f"{key}={clean(value)}" for key, value in sorted(batch.labels.items()))
