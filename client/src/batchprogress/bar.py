"""A progress bar for scripts and notebooks: one line that is written again, or lines where that cannot be."""

import shutil
import sys
from collections.abc import Iterable
from typing import TextIO

import grpc

from batchprogress.channels import Credentials, Token
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.watching import watch

BAR_CHARACTERS = 24
"""Room for the bar: with the numbers it fits into 80 columns."""
DRAWN_SECONDS_MIN = 0.1
"""Ten lines a second look alive; more only cost."""
LINE_STEP_PERCENT = 10
"""Where lines stay, as in a log: a dozen of them for a batch."""
CLEAR_TO_END = "\x1b[K"


def bar(
    target: str | grpc.Channel,
    batch_id: str,
    *,
    file: TextIO | None = None,
    credentials: Credentials | None = None,
    token: Token | None = None,
) -> pb.Batch:
    """Show a batch until it ends, on standard error or in `file`; return its last state.

    In a terminal one line is written again and again; elsewhere a line each 10 percent.

    Raises:
        BatchNotFound: there is no such batch.
        grpc.RpcError: as `watch`.

    """
    states = watch(target, batch_id, min_interval=DRAWN_SECONDS_MIN, credentials=credentials, token=token)
    out = sys.stderr if file is None else file
    return _draw(states, out) if out.isatty() else _write_lines(states, out)


def line_of(batch: pb.Batch) -> str:
    """Return a batch in one line: bar, percent, counts, failed, skipped, rate, time left, state."""
    done = batch.total_jobs - batch.pending_jobs
    full = "█" * (BAR_CHARACTERS * batch.percent_complete // 100)
    parts = [f"{batch.percent_complete:3} % {full:░<{BAR_CHARACTERS}} {done:,}/{batch.total_jobs:,}"]
    parts += [f"{batch.failed_jobs:,} failed"] if batch.failed_jobs else []
    parts += [f"{batch.skipped_jobs:,} skipped"] if batch.skipped_jobs else []
    if batch.state == pb.BATCH_STATE_PROCESSING:
        parts += pace_of(batch)
    else:
        parts.append(pb.BatchState.Name(batch.state).removeprefix("BATCH_STATE_").lower())
    return ", ".join(parts)


def pace_of(batch: pb.Batch) -> list[str]:
    """Return rate and time left, without any clock of ours."""
    if batch.jobs_per_second <= 0:
        return [batch.stall_reason] if batch.stall_reason else []
    rate = f"{batch.jobs_per_second:,.{0 if batch.jobs_per_second >= 10 else 1}f}/s"  # noqa: PLR2004  # a digit
    if not batch.sealed:
        return [rate]
    return [rate, f"{duration_of(round(batch.pending_jobs / batch.jobs_per_second))} left"]


def duration_of(seconds: int) -> str:
    """Return 4:07 or 1:06:40."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _draw(states: Iterable[pb.Batch], out: TextIO) -> pb.Batch:
    batch = pb.Batch()
    try:
        for batch in states:  # the last one is returned
            columns = shutil.get_terminal_size().columns
            out.write(f"\r{line_of(batch)[: columns - 1]}{CLEAR_TO_END}")
            out.flush()
    finally:
        out.write("\n")
    return batch


def _write_lines(states: Iterable[pb.Batch], out: TextIO) -> pb.Batch:
    batch, next_percent = pb.Batch(), 0
    for batch in states:
        if batch.percent_complete >= next_percent or batch.state != pb.BATCH_STATE_PROCESSING:
            out.write(f"{line_of(batch)}\n")
            out.flush()
            next_percent = batch.percent_complete + LINE_STEP_PERCENT
    return batch
