"""Writes what a pass did for programs: one JSON object per line, named as in the contract, summary last."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TextIO

import structlog

from batches.batch import Batch
from reconciler.output.wording import sentence
from reconciler.run.result import BatchResult, RunSummary

_log = structlog.get_logger()


class JsonLines:
    """Writes a line for each batch as soon as it was checked.

    Args:
        out: Where to write; flushed after each line.
        dry_run: Whether the lines say what would be done.

    """

    def __init__(self, out: TextIO, *, dry_run: bool = False) -> None:
        self._out = out
        self._dry_run = dry_run
        self._turn = asyncio.Lock()
        self.is_broken = False
        """Whether lines were lost, other than by a reader that stopped reading."""

    async def write(self, result: BatchResult) -> None:
        """Write what was done about a batch; a slow reader holds up its worker, but no transaction."""
        async with self._turn:
            await asyncio.to_thread(self._write, values_of(result, dry_run=self._dry_run))

    def write_summary(self, summary: RunSummary) -> None:
        """Write the numbers of the pass, the only line without a batch_id."""
        self._write(asdict(summary))

    def _write(self, values: Mapping[str, Any]) -> None:
        try:
            self._out.write(json.dumps(values) + "\n")
            self._out.flush()  # so that a pipe's reader sees the line now
        except BrokenPipeError:  # a reader that stops reading does not stop the pass
            pass
        except OSError as error:  # nor does a full disk
            if not self.is_broken:
                _log.error("lines cannot be written", reason=error.strerror)  # expected, so without a trace
            self.is_broken = True


def values_of(result: BatchResult, *, dry_run: bool = False) -> dict[str, Any]:
    """Return every field of a batch's line; `left` is empty if everything was done. Pure.

    A program that reads only these lines must see in each of them whether anything was written.
    """
    left = result.not_repaired
    return {
        "batch_id": result.before.batch_id,
        "dry_run": dry_run,
        "repaired": bool(result.repairs),
        "before": _tallies_of(result.before),
        "after": _tallies_of(result.after),
        "reasons": [sentence(reasons, dry_run=dry_run) for reasons in result.repairs],
        "results_recorded": result.recorded,
        "results_counted": result.counted,
        "left": left.reason.value if left else "",
        "left_reason": sentence(left.told, dry_run=dry_run) if left else "",
        "is_error": bool(left and left.is_error),
        "needs_person": bool(left and left.needs_person),
    }


def _tallies_of(batch: Batch) -> dict[str, Any]:
    """Return the contract's message Tallies."""
    return {
        "state": f"BATCH_STATE_{batch.state.name}",
        "total_jobs": batch.total_jobs,
        "succeeded_jobs": batch.tally.succeeded,
        "failed_jobs": batch.tally.failed,
        "skipped_jobs": batch.tally.skipped,
        "pending_jobs": batch.pending_jobs,
    }
