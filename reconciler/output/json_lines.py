"""What a pass did, for programs: an object a line, named as in the contract, the summary last."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TextIO

import structlog

from batches.batch import Batch
from reconciler.run.result import Looked, PassResult

_log = structlog.get_logger()


class JsonLines:
    """Writes a line for each batch as soon as it was looked at, however many there are."""

    def __init__(self, out: TextIO) -> None:
        """Take where to write."""
        self._out = out
        self._turn = asyncio.Lock()
        self.is_broken = False
        """Whether lines were lost, other than by a reader who had seen enough."""

    async def looked(self, looked: Looked) -> None:
        """Write what became of a batch; who reads slowly holds up its worker, no transaction."""
        async with self._turn:
            await asyncio.to_thread(self._write, values_of(looked))

    def summary(self, result: PassResult) -> None:
        """Write the numbers of the pass: the one line without a batch_id."""
        self._write(asdict(result))

    def _write(self, values: Mapping[str, Any]) -> None:
        try:
            self._out.write(json.dumps(values) + "\n")
            self._out.flush()  # whoever reads a pipe reads it now
        except BrokenPipeError:  # whoever stops to read does not stop the pass
            pass
        except OSError as error:  # nor does a full disk
            if not self.is_broken:
                _log.error("lines cannot be written", reason=error.strerror)  # expected
            self.is_broken = True


def values_of(looked: Looked) -> dict[str, Any]:
    """Return what became of a batch, no field left out; `left` is empty if all was done. Pure."""
    left = looked.left
    return {
        "batch_id": looked.before.batch_id,
        "repaired": bool(looked.reasons),
        "before": _tallies_of(looked.before),
        "after": _tallies_of(looked.after),
        "reasons": list(looked.reasons),
        "results_recorded": looked.recorded,
        "results_counted": looked.counted,
        "left": left.kind.value if left else "",
        "left_reason": left.reason if left else "",
        "is_error": bool(left and left.is_error),
    }


def _tallies_of(batch: Batch) -> dict[str, Any]:
    """Return the contract's Tallies."""
    return {
        "state": f"BATCH_STATE_{batch.state.name}",
        "total_jobs": batch.total_jobs,
        "succeeded_jobs": batch.tally.succeeded,
        "failed_jobs": batch.tally.failed,
        "skipped_jobs": batch.tally.skipped,
        "pending_jobs": batch.pending_jobs,
    }
